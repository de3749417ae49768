/** What is being written, and what is on its way out: on the server, for every browser. */

import { infiniteQueryOptions, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";

import { type Account, api, must } from "../api/client";
import { useLive } from "../live/live";
import { nameOf } from "../mail/people";
import { When } from "../mail/When";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Trouble } from "../ui/Form";
import { useStore } from "../ui/store";
import { useTitle } from "../ui/useTitle";
import { ComposerDock } from "./ComposerDock";
import type { ServerDraft } from "./draft";
import { drafts } from "./drafts";
import { Outgoing } from "./Outgoing";
import { openKept } from "./saving";
import { textOf } from "./words";

const draftsQuery = infiniteQueryOptions({
  queryKey: ["drafts"],
  queryFn: ({ pageParam, signal }) =>
    must(api.GET("/api/v1/drafts", { params: { query: { cursor: pageParam, limit: 50 } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
  staleTime: 0, // they change elsewhere, and nobody tells of it
  refetchOnWindowFocus: true,
});

export function DraftsPage({ accounts }: { accounts: readonly Account[] }) {
  useLive();
  const say = useSay();
  useTitle(say("drafts.title"));
  const { isPending } = useInfiniteQuery(draftsQuery);
  return (
    <>
      <main className="page wide">
        <div className="between">
          <h1>{say("drafts.title")}</h1>
          <Link to="/mail/$scope" params={{ scope: "inbox" }} search={{}} className="button">
            <ArrowLeft size={16} aria-hidden /> {say("app.home")}
          </Link>
        </div>
        {isPending ? (
          <CardGhost />
        ) : (
          <>
            <Kept />
            <Outgoing />
          </>
        )}
      </main>
      <ComposerDock accounts={accounts} />
    </>
  );
}

function Kept() {
  const say = useSay();
  const open = useStore(drafts);
  const queries = useQueryClient();
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(draftsQuery);
  const removing = useMutation({
    mutationFn: async (id: string) =>
      must(api.DELETE("/api/v1/drafts/{draft_id}", { params: { path: { draft_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["drafts"] }),
  });
  const opening = useMutation({ mutationFn: openKept });
  const all = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="card" aria-label={say("box.drafts")}>
      <h2>{say("box.drafts")}</h2>
      <Trouble of={error ?? removing.error ?? opening.error} />
      {data && all.length === 0 && <p className="soft">{say("drafts.none")}</p>}
      <ul className="entries">
        {all.map((one) => (
          <li key={one.id} className="entry">
            <div className="entry-words">
              <strong>
                <bdi>{one.subject || say("list.noSubject")}</bdi>
              </strong>
              <p className="soft small entry-line">
                <bdi>{toWhom(one) || say("list.nobody")}</bdi> · <When at={one.updated_at} />
              </p>
              <p className="small entry-line">
                <bdi>{(one.html === null ? (one.text ?? "") : textOf(one.html)).slice(0, 200)}</bdi>
              </p>
            </div>
            <div className="entry-acts">
              {open.some((other) => other.server?.id === one.id) ? (
                <span className="soft small">{say("drafts.open")}</span>
              ) : (
                <>
                  <button type="button" className="button" onClick={() => opening.mutate(one)}>
                    {say("drafts.writeOn")}
                  </button>
                  <button type="button" className="button danger" onClick={() => removing.mutate(one.id)}>
                    {say("compose.discard")}
                  </button>
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
      {hasNextPage && (
        <button
          type="button"
          className="button"
          disabled={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          {say("app.showMore")}
        </button>
      )}
    </section>
  );
}

const toWhom = (one: ServerDraft): string =>
  [...one.to, ...one.to_groups.flatMap((group) => group.members), ...one.cc, ...one.bcc]
    .map((person) => nameOf(person) ?? "")
    .join(", ");
