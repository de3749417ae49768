/** Whom one writes as, among the identities of all accounts. */

import { useId } from "react";

import type { Account } from "../api/client";
import { written } from "../mail/people";
import { useSay } from "../strings/use";
import { as, type Draft, type Identity, identityOf } from "./draft";
import { replace } from "./drafts";
import { moveTo } from "./saving";

interface Props {
  draft: Draft;
  accounts: readonly Account[];
  identities: readonly Identity[];
}

export function From({ draft, accounts, identities }: Props) {
  const say = useSay();
  const id = useId();
  const now = identityOf(draft, identities);
  if (identities.length < 2 || !now) return null;
  const choose = (identity: Identity) => {
    const moved = identity.account_id === draft.accountId ? {} : moveTo(draft);
    const written = { ...draft, ...moved, accountId: identity.account_id, changed: draft.changed + 1 };
    replace(draft.key, as(written, identity));
  };
  return (
    <div className="line">
      <label htmlFor={id}>{say("compose.from")}</label>
      <select
        id={id}
        value={now.id}
        onChange={(event) => {
          const chosen = identities.find((one) => one.id === event.target.value);
          if (chosen) choose(chosen);
        }}
      >
        {accounts.map((account) => (
          <optgroup key={account.id} label={account.name || account.email}>
            {identities
              .filter((one) => one.account_id === account.id)
              .map((one) => (
                <option key={one.id} value={one.id}>
                  {written(one)}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </div>
  );
}
