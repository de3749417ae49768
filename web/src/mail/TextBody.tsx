/** A message in plain text: what its writer wrote; what is quoted is folded away. */

import { Fragment, type ReactNode, useState } from "react";

import type { OpenMessage } from "../api/client";
import { useSay } from "../strings/use";

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

export function TextBody({ read }: { read: OpenMessage }) {
  const say = useSay();
  const [whole, setWhole] = useState(false);
  const own = read.own_text.trim();
  const isFolded = own !== "" && own.length < read.text.trim().length;
  return (
    <div className="text">
      <div className="text-words">{linked(isFolded && !whole ? own : read.text)}</div>
      {isFolded && (
        <button
          type="button"
          className="fold"
          aria-expanded={whole}
          aria-label={say(whole ? "read.foldQuoted" : "read.showQuoted")}
          title={say(whole ? "read.foldQuoted" : "read.showQuoted")}
          onClick={() => setWhole(!whole)}
        >
          •••
        </button>
      )}
    </div>
  );
}

/** Text in which addresses of the web can be followed. */
function linked(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const found of text.matchAll(ADDRESS)) {
    parts.push(text.slice(at, found.index));
    parts.push(
      <a key={found.index} href={found[0]} target="_blank" rel="noopener noreferrer nofollow">
        {found[0]}
      </a>,
    );
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts.map((part, index) => <Fragment key={index}>{part}</Fragment>);
}
