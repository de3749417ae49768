import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { type Account, api, must } from "../api/client";
import type { Identity } from "../compose/draft";
import { useIdentities } from "../compose/identities";
import { people } from "../compose/recipients";
import { textOf as plain } from "../compose/words";
import { written } from "../mail/people";
import { preferences } from "../session/preferences";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Field, textOf, Tick, Trouble } from "../ui/Form";
import { useStore } from "../ui/store";
import type { SectionProps } from "./SettingsPage";
import { SignatureField } from "./SignatureField";
import { SignatureOfAll } from "./SignatureOfAll";

/** Whom one writes as, with what stands below what one writes. */
export function Identities({ accounts }: SectionProps) {
  const say = useSay();
  const { all, pending } = useIdentities(accounts);
  const [editing, setEditing] = useState<string | null>(null);
  if (pending) return accounts.map((account) => <CardGhost key={account.id} />);
  return (
    <>
      {accounts.map((account) => (
        <section className="card" key={account.id} aria-label={account.name || account.email}>
          <h2>
            <bdi>{account.name || account.email}</bdi>
          </h2>
          <ul className="entries">
            {all
              .filter((one) => one.account_id === account.id)
              .map((one) => (
                <li key={one.id} className="entry">
                  {editing === one.id ? (
                    <IdentityForm account={account} identity={one} onDone={() => setEditing(null)} />
                  ) : (
                    <Shown identity={one} onEdit={() => setEditing(one.id)} />
                  )}
                </li>
              ))}
          </ul>
          {editing === account.id ? (
            <IdentityForm account={account} identity={null} onDone={() => setEditing(null)} />
          ) : (
            <button type="button" className="button" onClick={() => setEditing(account.id)}>
              {say("identity.add")}
            </button>
          )}
        </section>
      ))}
      <SignatureOfAll />
    </>
  );
}

function Shown({ identity, onEdit }: { identity: Identity; onEdit: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const removing = useMutation({
    mutationFn: async () =>
      must(
        api.DELETE("/api/v1/accounts/{account_id}/identities/{identity_id}", {
          params: { path: { account_id: identity.account_id, identity_id: identity.id } },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["identities"] }),
  });
  const { signature: text, signature_html: html } = useStore(preferences);
  const signature = identity.signature_text || plain(identity.signature_html);
  const none = say(text || html ? "identity.hasThatOfAll" : "identity.noSignature");
  return (
    <>
      <div className="entry-words">
        <strong>
          <bdi>{written(identity)}</bdi>
        </strong>{" "}
        {identity.is_default && <span className="soft small">{say("identity.default")}</span>}
        <p className="soft small entry-line">{signature || none}</p>
        <Trouble of={removing.error} />
      </div>
      <div className="entry-acts">
        <button type="button" className="button" onClick={onEdit}>
          {say("app.edit")}
        </button>
        {!identity.is_own && (
          <button type="button" className="button danger" onClick={() => removing.mutate()}>
            {say("settings.remove")}
          </button>
        )}
      </div>
    </>
  );
}

interface FormProps {
  account: Account;
  identity: Identity | null; // null: a new one
  onDone: () => void;
}

function IdentityForm({ account, identity, onDone }: FormProps) {
  const say = useSay();
  const queries = useQueryClient();
  const [isDefault, setDefault] = useState(identity?.is_default ?? false);
  const [signature, setSignature] = useState({
    html: identity?.signature_html ?? "",
    text: identity?.signature_text ?? "",
  });
  const saving = useMutation({
    mutationFn: async (given: { name: string; email: string; replyTo: string }): Promise<unknown> => {
      const params = { path: { account_id: account.id } };
      const body = {
        name: given.name,
        reply_to: people(given.replyTo).found,
        signature_html: signature.html,
        signature_text: signature.text,
        is_default: isDefault,
      };
      if (!identity)
        return must(
          api.POST("/api/v1/accounts/{account_id}/identities", {
            params,
            body: { ...body, email: given.email },
          }),
        );
      return must(
        api.PATCH("/api/v1/accounts/{account_id}/identities/{identity_id}", {
          params: { path: { ...params.path, identity_id: identity.id } },
          // An account's own address is the account's.
          body: identity.is_own ? body : { ...body, email: given.email },
        }),
      );
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["identities"] });
      onDone();
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    saving.mutate({
      name: textOf(form, "name"),
      email: textOf(form, "email"),
      replyTo: textOf(form, "reply_to"),
    });
  };
  return (
    <form onSubmit={submit} className="entry-words">
      <Field label={say("session.name")} name="name" defaultValue={identity?.name} error={saving.error} />
      <Field
        label={say("session.email")}
        name="email"
        type="email"
        required
        disabled={identity?.is_own}
        defaultValue={identity?.email}
        error={saving.error}
      />
      <Field
        label={say("identity.replyTo")}
        name="reply_to"
        defaultValue={identity?.reply_to.map(written).join(", ")}
        error={saving.error}
      />
      <SignatureField value={signature} onChange={setSignature} />
      <Tick
        label={say("identity.isDefault")}
        checked={isDefault}
        disabled={identity?.is_default}
        onChange={setDefault}
      />
      <Trouble of={saving.error} />
      <div className="entry-acts">
        <button type="submit" className="button first" disabled={saving.isPending}>
          {say("app.save")}
        </button>
        <button type="button" className="button" onClick={onDone}>
          {say("app.cancel")}
        </button>
      </div>
    </form>
  );
}
