/** What stands below what one writes, being written. */

import { lazy, Suspense, useCallback } from "react";

import { paragraphs } from "../compose/words";
import { useSay } from "../strings/use";

const Editor = lazy(() => import("../compose/Editor"));

export interface Signature {
  html: string;
  text: string;
}

export function SignatureField({ value, onChange }: { value: Signature; onChange: (value: Signature) => void }) {
  const say = useSay();
  const ready = useCallback(() => undefined, []);
  return (
    <div className="field">
      <span>{say("identity.signature")}</span>
      <Suspense fallback={<div className="ghost ghost-body" />}>
        <Editor
          html={value.html || paragraphs(value.text)}
          label={say("identity.signature")}
          focus={false}
          pictureOf={() => ""}
          onChange={(html, text) => onChange(text.trim() ? { html, text } : { html: "", text: "" })}
          onFiles={ready}
          onReady={ready}
        />
      </Suspense>
    </div>
  );
}
