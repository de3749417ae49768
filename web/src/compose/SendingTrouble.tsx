/** That a message did not arrive, where one cannot overlook it. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { useSay } from "../strings/use";
import { create, useStore } from "../ui/store";
import { submissionsQuery } from "./Outgoing";

const KEY = "postbus.seenTrouble";
const RECENT_MILLISECONDS = 3 * 24 * 3_600_000;

/** What somebody has been told of, as submission and state. */
const seen = create<readonly string[]>(JSON.parse(localStorage.getItem(KEY) ?? "[]") as string[]);

export function SendingTrouble() {
  const say = useSay();
  const known = useStore(seen);
  const { data, dataUpdatedAt } = useInfiniteQuery({ ...submissionsQuery, staleTime: Infinity });
  const bad = (data?.pages[0]?.items ?? []).filter(
    (one) =>
      ["failed", "uncertain", "bounced"].includes(one.state) &&
      dataUpdatedAt - Date.parse(one.updated_at) < RECENT_MILLISECONDS &&
      !known.includes(`${one.id} ${one.state}`),
  );
  const first = bad[0];
  if (!first) return null;
  const leave = () => {
    const now = [...bad.map((one) => `${one.id} ${one.state}`), ...known].slice(0, 100);
    seen.set(now);
    localStorage.setItem(KEY, JSON.stringify(now));
  };
  return (
    <p className="note bad" role="alert">
      <span>
        <bdi>{first.subject || say("list.noSubject")}</bdi>: {say(`fate.${first.state}`)}.{" "}
        {first.server_said && say("state.said", { words: first.server_said })}
      </span>
      <Link to="/drafts" className="button">
        {say("sent.look")}
      </Link>
      <button type="button" className="button" onClick={leave}>
        {say("sent.seen")}
      </button>
    </p>
  );
}
