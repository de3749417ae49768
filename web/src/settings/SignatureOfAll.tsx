/** The signature of every address that has none of its own. */

import { type SubmitEvent, useState } from "react";

import { textOf } from "../compose/words";
import { preferences, usePrefer } from "../session/preferences";
import { useSay } from "../strings/use";
import { Trouble } from "../ui/Form";
import { useStore } from "../ui/store";
import { SignatureField } from "./SignatureField";

export function SignatureOfAll() {
  const say = useSay();
  const { signature: text, signature_html: html } = useStore(preferences);
  const [editing, setEditing] = useState(false);
  const title = say("identity.signatureOfAll");
  return (
    <section className="card" aria-label={title}>
      <h2>{title}</h2>
      {editing ? (
        <Form text={text} html={html} onDone={() => setEditing(false)} />
      ) : (
        <div className="entry">
          <p className="soft small entry-words entry-line">{text || textOf(html) || say("identity.noSignature")}</p>
          <button type="button" className="button" onClick={() => setEditing(true)}>
            {say("app.edit")}
          </button>
        </div>
      )}
    </section>
  );
}

function Form({ text, html, onDone }: { text: string; html: string; onDone: () => void }) {
  const say = useSay();
  const [signature, setSignature] = useState({ html, text });
  const prefer = usePrefer();
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    prefer.mutate({ signature: signature.text, signature_html: signature.html }, { onSuccess: onDone });
  };
  return (
    <form onSubmit={submit}>
      <SignatureField value={signature} onChange={setSignature} />
      <Trouble of={prefer.error} />
      <div className="entry-acts">
        <button type="submit" className="button first" disabled={prefer.isPending}>
          {say("app.save")}
        </button>
        <button type="button" className="button" onClick={onDone}>
          {say("app.cancel")}
        </button>
      </div>
    </form>
  );
}
