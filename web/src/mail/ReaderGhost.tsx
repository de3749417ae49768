/** Where a conversation will stand. */

import { useSay } from "../strings/use";

export function ReaderGhost() {
  const say = useSay();
  return (
    <div className="reader" role="status" aria-label={say("read.loading")}>
      <div className="ghost ghost-title" />
      <div className="ghost ghost-line" />
      <div className="ghost ghost-body" />
    </div>
  );
}
