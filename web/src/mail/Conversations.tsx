/** The conversation that is read, and those read last: as they were left, to be back at once. */

import { Activity, useState } from "react";

import { Reader } from "./Reader";

const KEPT = 10; // each with its messages in their frames

interface Props {
  messageId: string | undefined; // undefined: none is read now
  own: ReadonlySet<string>;
}

export function Conversations({ messageId, own }: Props) {
  const [kept, setKept] = useState<readonly string[]>([]);
  // In the order in which they were first read: a frame that is moved in the page loads anew.
  const now = !messageId || kept.includes(messageId) ? kept : [...kept.slice(1 - KEPT), messageId];
  if (now !== kept) setKept(now);
  return now.map((id) => (
    <Activity key={id} mode={id === messageId ? "visible" : "hidden"}>
      <div className="conversation">
        <Reader messageId={id} own={own} />
      </div>
    </Activity>
  ));
}
