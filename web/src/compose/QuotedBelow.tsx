/** What is answered or passed on: it goes below one's own words, and is folded away meanwhile. */

import { Ellipsis } from "lucide-react";
import { useState } from "react";

import { MessageFrame } from "../mail/MessageFrame";
import { useSay } from "../strings/use";
import type { Draft } from "./draft";
import { replace, write } from "./drafts";

export function QuotedBelow({ draft }: { draft: Draft }) {
  const say = useSay();
  const [shown, setShown] = useState(false);
  const { quoted, answers } = draft;
  return (
    <div className="quoted-below">
      <div className="quoted-tools">
        <button
          type="button"
          className="fold"
          aria-expanded={shown}
          onClick={() => setShown(!shown)}
        >
          <Ellipsis size={16} aria-hidden /> {say(shown ? "read.foldQuoted" : "read.showQuoted")}
        </button>
        {quoted?.made && !draft.plain && (
          <button
            type="button"
            className="fold"
            onClick={() =>
              replace(draft.key, {
                ...draft,
                html: `${draft.html}${quoted.html}`,
                quoted: null,
                changed: draft.changed + 1,
              })
            }
          >
            {say("compose.editQuoted")}
          </button>
        )}
        <button type="button" className="fold" onClick={() => write(draft.key, { quoted: null })}>
          {say("compose.dropQuoted")}
        </button>
      </div>
      {shown && answers && <MessageFrame id={answers.id} images={false} sender={draft.subject} />}
    </div>
  );
}
