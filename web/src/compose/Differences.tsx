/** What stands in the way of saving a message, and what can be done. */

import { useState } from "react";

import { ApiProblem } from "../api/problem";
import { useSay } from "../strings/use";
import { anew, type Draft, wordsOf } from "./draft";
import { close, open, write } from "./drafts";
import { keepBoth, keepMine, type Standing, takeTheirs } from "./saving";

export function Differences({ draft, standing }: { draft: Draft; standing: Standing | null }) {
  const say = useSay();
  const [shown, setShown] = useState(false);
  if (standing?.kind === "refused") {
    const { error } = standing;
    const fields = error instanceof ApiProblem ? (error.problem.errors ?? []).map((one) => one.message) : [];
    return (
      <div className="note bad" role="alert">
        {say("compose.failed", { detail: [error.message, ...fields].join(" ") })}
        {draft.quoted?.made === false && (
          <button type="button" className="button" onClick={() => write(draft.key, { quoted: null })}>
            {say("compose.dropQuoted")}
          </button>
        )}
      </div>
    );
  }
  if (standing?.kind === "gone")
    return (
      <div className="note bad" role="alert">
        {say("compose.gone")}
        <button
          type="button"
          className="button"
          onClick={() => {
            close(draft.key);
            open(anew(draft));
          }}
        >
          {say("compose.keepAsNew")}
        </button>
        <button type="button" className="button danger" onClick={() => close(draft.key)}>
          {say("compose.discard")}
        </button>
      </div>
    );
  if (standing?.kind !== "conflict") return null;
  const { theirs } = standing;
  return (
    <div className="note bad" role="alert">
      {say("compose.conflict")}
      <button type="button" className="button" aria-expanded={shown} onClick={() => setShown(!shown)}>
        {say("compose.compare")}
      </button>
      <button type="button" className="button" onClick={() => keepMine(draft.key, theirs)}>
        {say("compose.keepMine")}
      </button>
      <button type="button" className="button" onClick={() => takeTheirs(draft.key, theirs)}>
        {say("compose.takeTheirs")}
      </button>
      <button type="button" className="button" onClick={() => keepBoth(draft)}>
        {say("compose.keepBoth")}
      </button>
      {shown && (
        <div className="versions">
          {([["compose.mine", draft], ["compose.theirs", theirs]] as const).map(([name, one]) => (
            <section key={name} aria-label={say(name)}>
              <strong>{say(name)}</strong>
              <p>
                <bdi>{one.subject}</bdi>
              </p>
              <pre>{wordsOf(one)}</pre>
            </section>
          ))}
        </div>
      )}
    </div>
  );
}
