/** Messages on their way out, what became of them, and what can be done. */

import { infiniteQueryOptions, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { FormattedDate } from "react-intl";

import { api, must, type Submission } from "../api/client";
import { nameOf } from "../mail/people";
import { When } from "../mail/When";
import { useSay } from "../strings/use";
import { Trouble } from "../ui/Form";
import { isRemembered, takeBack, writeAnew } from "./sent";

type Done = "takeBack" | "sendNow" | "retry";

const WAITING = new Set(["held", "scheduled", "deferred", "queued"]);
const BAD = new Set(["failed", "uncertain", "bounced", "partially_accepted", "complained"]);

/** What one may do about a message in this state. */
export function offered(state: Submission["state"]): Done[] {
  switch (state) {
    case "held":
    case "scheduled":
    case "deferred":
      return ["takeBack", "sendNow"];
    case "queued":
      return ["takeBack"];
    case "failed":
    case "partially_accepted":
    case "uncertain":
      return ["retry"];
    default:
      return [];
  }
}

export const submissionsQuery = infiniteQueryOptions({
  queryKey: ["submissions"],
  queryFn: ({ pageParam, signal }) =>
    must(api.GET("/api/v1/submissions", { params: { query: { cursor: pageParam, limit: 30 } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

export function Outgoing() {
  const say = useSay();
  const { data, error, hasNextPage, fetchNextPage } = useInfiniteQuery(submissionsQuery);
  const all = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="card" aria-label={say("settings.sent")}>
      <h2>{say("settings.sent")}</h2>
      <Trouble of={error} />
      {data === undefined && !error && <div className="ghost ghost-body" />}
      {data && all.length === 0 && <p className="soft">{say("settings.sent.none")}</p>}
      <ul className="entries">
        {all.map((one) => (
          <Sent key={one.id} sent={one} />
        ))}
      </ul>
      {hasNextPage && (
        <button type="button" className="button" onClick={() => void fetchNextPage()}>
          {say("app.showMore")}
        </button>
      )}
    </section>
  );
}

function Sent({ sent }: { sent: Submission }) {
  const say = useSay();
  const queries = useQueryClient();
  const doing = useMutation({
    mutationFn: (done: Done) => carryOut(sent, done),
    onSettled: () => queries.invalidateQueries({ queryKey: submissionsQuery.queryKey }),
  });
  const isBad = BAD.has(sent.state);
  const names = [...sent.to, ...sent.cc, ...sent.bcc].map((one) => nameOf(one) ?? "").join(", ");
  // What was said of each, where it is not simply on its way.
  const told = sent.recipients.filter((one) => !["waiting", "accepted", "canceled"].includes(one.fate));
  return (
    <li className="entry">
      <div className="entry-words">
        <strong>
          <bdi>{sent.subject || say("list.noSubject")}</bdi>
        </strong>
        <p className="soft small entry-line">
          <bdi>{names}</bdi>
        </p>
        <p className={isBad ? "wrong" : "soft small"}>
          {say(`fate.${sent.state}`)} · <When at={sent.updated_at} />
          {WAITING.has(sent.state) && sent.next_attempt_at && (
            <>
              {" "}
              · {say("sent.next")}{" "}
              <FormattedDate value={sent.next_attempt_at} dateStyle="medium" timeStyle="short" />
            </>
          )}
        </p>
        {isBad &&
          (told.length ? (
            <ul className="small">
              {told.map((one) => (
                <li key={one.email}>
                  <bdi>{one.email}</bdi>: {one.server_said ?? say(`fate.${sent.state}`)}
                </li>
              ))}
            </ul>
          ) : (
            sent.server_said && <p className="small">{say("state.said", { words: sent.server_said })}</p>
          ))}
        {sent.state === "uncertain" && <p className="small soft">{say("sent.uncertain")}</p>}
        <Trouble of={doing.error} />
      </div>
      <div className="entry-acts">
        {offered(sent.state).map((done) => (
          <button
            key={done}
            type="button"
            className="button"
            disabled={doing.isPending}
            onClick={() => {
              if (done !== "retry" || sent.state !== "uncertain" || window.confirm(say("sent.twice")))
                doing.mutate(done);
            }}
          >
            {say(done === "takeBack" && !isRemembered(sent.id) ? "sent.cancel" : `sent.${done}`)}
          </button>
        ))}
        {(isBad || sent.state === "canceled") && isRemembered(sent.id) && (
          <button type="button" className="button" onClick={() => writeAnew(sent.id)}>
            {say("sent.edit")}
          </button>
        )}
      </div>
    </li>
  );
}

async function carryOut(sent: Submission, done: Done): Promise<void> {
  const params = { path: { submission_id: sent.id } };
  switch (done) {
    case "takeBack":
      await takeBack(sent.id);
      return;
    case "sendNow":
      await must(api.POST("/api/v1/submissions/{submission_id}:send-now", { params }));
      return;
    case "retry":
      await must(
        api.POST("/api/v1/submissions/{submission_id}:retry", {
          params,
          body: { may_arrive_twice: sent.state === "uncertain" },
        }),
      );
  }
}
