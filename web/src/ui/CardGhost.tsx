/** Where a card will stand, until all that it says is there: nothing moves when it comes. */

import { useSay } from "../strings/use";

export function CardGhost() {
  const say = useSay();
  return (
    <div className="card" role="status" aria-label={say("read.loading")}>
      <div className="ghost ghost-title" />
      <div className="ghost ghost-line" />
      <div className="ghost ghost-body" />
    </div>
  );
}
