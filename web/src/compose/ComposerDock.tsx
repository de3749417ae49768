/** Everything that is being written, at the foot of the page. */

import { useEffect } from "react";
import { useIntl } from "react-intl";

import type { Account } from "../api/client";
import { nameOf } from "../mail/people";
import { useSay } from "../strings/use";
import { useStore } from "../ui/store";
import { Composer } from "./Composer";
import { drafts, speak } from "./drafts";

export function ComposerDock({ accounts }: { accounts: readonly Account[] }) {
  const open = useStore(drafts);
  const say = useSay();
  const intl = useIntl();
  useEffect(() => {
    speak({
      wrote: (message) =>
        say("compose.quote", {
          date: intl.formatDate(message.received_at, { dateStyle: "medium", timeStyle: "short" }),
          name: nameOf(message.from) ?? say("list.nobody"),
        }),
      own: new Set(accounts.map((one) => one.email.toLowerCase())),
    });
  });
  if (!open.length) return null;
  return (
    <aside className="dock" aria-label={say("compose.open")}>
      {open.map((draft) => (
        <Composer key={draft.key} draft={draft} accounts={accounts} />
      ))}
    </aside>
  );
}
