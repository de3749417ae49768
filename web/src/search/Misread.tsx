/** A search that cannot be read: what is wrong with it, and where. */

import type { ApiProblem } from "../api/problem";
import { useSay } from "../strings/use";

export function Misread({ query, problem }: { query: string; problem: ApiProblem["problem"] }) {
  const say = useSay();
  const letters = Array.from(query);
  const at = problem.position ?? null;
  const end = at === null ? 0 : Math.max(at + 1, letters.findIndex((one, index) => index > at && one === " "));
  return (
    <div className="empty" role="alert">
      <h2>{say("search.misread")}</h2>
      <p>{problem.detail}</p>
      {at !== null && (
        <p className="misread">
          {letters.slice(0, at).join("")}
          <mark>{letters.slice(at, end).join("") || " "}</mark>
          {letters.slice(end).join("")}
        </p>
      )}
    </div>
  );
}
