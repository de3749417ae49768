/** Lists of messages, and one that is open, as the cache keeps them. */

import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
} from "@tanstack/react-query";

import { api, type Mailbox, type Message, must, type Schemas } from "../api/client";
import { timeZone } from "../session/preferences";

/** What a list is of: the inboxes of all accounts, one mailbox, or what a search finds. */
export type Scope =
  | { kind: "inboxes" }
  | { kind: "mailbox"; mailboxId: string }
  | { kind: "search"; query: string; accountIds?: readonly string[]; order?: "newest" | "relevance" };

/** A message in a list; what was searched for says by which words it was found. */
export type Listed = Message & { snippet_html?: string };

export interface Page {
  items: Listed[];
  next_cursor: string | null;
}

export type List = InfiniteData<Page, string | null>;

const AT_ONCE = 100;

export function listQuery(scope: Scope) {
  return infiniteQueryOptions({
    queryKey: ["messages", scope] as const,
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      const query = { limit: AT_ONCE, cursor: pageParam ?? undefined };
      const page =
        scope.kind === "search"
          ? await must(
              api.GET("/api/v1/search", {
                params: {
                  query: {
                    ...query,
                    q: scope.query,
                    account_id: scope.accountIds?.length ? [...scope.accountIds] : undefined,
                    order: scope.order,
                    time_zone: timeZone(),
                  },
                },
                signal,
              }),
            )
          : await must(
              api.GET("/api/v1/messages", {
                params: {
                  query:
                    scope.kind === "inboxes"
                      ? { ...query, role: "inbox" }
                      : { ...query, mailbox_id: scope.mailboxId },
                },
                signal,
              }),
            );
      return { items: page.items, next_cursor: page.next_cursor ?? null };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: scope.kind === "search" ? 0 : 60_000,
    placeholderData: scope.kind === "search" ? keepPreviousData : undefined,
  });
}

export const threadQuery = (threadId: string) =>
  queryOptions({
    queryKey: ["thread", threadId] as const,
    queryFn: async ({ signal }) =>
      (
        await must(
          api.GET("/api/v1/threads/{thread_id}", {
            params: { path: { thread_id: threadId } },
            signal,
          }),
        )
      ).items,
    staleTime: 60_000,
  });

export const messageQuery = (messageId: string, images: boolean) =>
  queryOptions({
    queryKey: ["message", messageId, images] as const,
    queryFn: async ({ signal }) =>
      must(
        api.GET("/api/v1/messages/{message_id}", {
          params: { path: { message_id: messageId }, query: { images: images ? "allow" : undefined } },
          signal,
        }),
      ),
    staleTime: Infinity, // what a message says never changes
  });

export const isFlagged = (message: Message): boolean => message.keywords.includes("\\Flagged");

/** A conversation as a row shows it: its newest message here, and how many more there are. */
export interface Row {
  message: Listed;
  others: Listed[];
}

interface Grouped {
  pages: readonly Page[];
  rows: Row[];
  at: Map<string, number>; // where a thread stands
}

let latest: Grouped = { pages: [], rows: [], at: new Map() };

/**
 * Messages of one thread become one row, where its newest stands. A list that grew by a page is not
 * gone through again: it may have a hundred thousand rows.
 */
export function inThreads(pages: readonly Page[]): Row[] {
  const grew = latest.pages.every((page, index) => page === pages[index]);
  const rows = grew ? [...latest.rows] : [];
  const at = grew ? latest.at : new Map<string, number>();
  for (const page of pages.slice(grew ? latest.pages.length : 0))
    for (const message of page.items) {
      const known = message.thread_id ? at.get(message.thread_id) : undefined;
      const row = known === undefined ? undefined : rows[known];
      if (row && known !== undefined) {
        rows[known] = { message: row.message, others: [...row.others, message] };
        continue;
      }
      if (message.thread_id) at.set(message.thread_id, rows.length);
      rows.push({ message, others: [] });
    }
  latest = { pages, rows, at };
  return rows;
}

/** Which row a message stands in; -1 for none. */
export const rowOf = (rows: readonly Row[], id: string | undefined): number =>
  id === undefined
    ? -1
    : rows.findIndex((row) => row.message.id === id || row.others.some((one) => one.id === id));

export const messagesOf = (row: Row): Message[] => [row.message, ...row.others];

/** Whether a list shows what is in this mailbox. */
export function shows(scope: Scope, mailbox: Mailbox | undefined): boolean {
  if (scope.kind === "search" || !mailbox) return false;
  return scope.kind === "inboxes" ? mailbox.role === "inbox" : scope.mailboxId === mailbox.id;
}

/** Change every list that the cache knows; `change` returns a message anew, or null to take it out. */
export function changeLists(
  queries: QueryClient,
  change: (message: Listed, scope: Scope) => Listed | null,
): void {
  for (const [key, list] of queries.getQueriesData<List>({ queryKey: ["messages"] })) {
    if (!list) continue;
    const scope = key[1] as Scope;
    const pages = list.pages.map((page) => {
      const items: Listed[] = [];
      for (const one of page.items) {
        const now = change(one, scope);
        if (now) items.push(now);
      }
      return items.length === page.items.length && items.every((one, at) => one === page.items[at])
        ? page
        : { ...page, items };
    });
    if (pages.some((page, at) => page !== list.pages[at])) queries.setQueryData<List>(key, { ...list, pages });
  }
  for (const [key, thread] of queries.getQueriesData<Message[]>({ queryKey: ["thread"] })) {
    if (!thread) continue;
    const now = thread.flatMap((one) => change(one, { kind: "search", query: "" }) ?? []);
    if (now.length !== thread.length || now.some((one, at) => one !== thread[at]))
      queries.setQueryData(key, now);
  }
}

/** Put a message where it belongs in each list that shows its mailbox and reaches so far. */
export function insert(queries: QueryClient, message: Message, mailbox: Mailbox | undefined): void {
  for (const [key, list] of queries.getQueriesData<List>({ queryKey: ["messages"] })) {
    if (!list || !shows(key[1] as Scope, mailbox)) continue;
    if (list.pages.some((page) => page.items.some((one) => one.id === message.id))) continue;
    const at = list.pages.findIndex(
      (page) =>
        page.next_cursor === null ||
        page.items.some((one) => one.received_at <= message.received_at),
    );
    if (at < 0) continue; // below what is loaded: it comes with its page
    const pages = list.pages.map((page, index) => {
      if (index !== at) return page;
      const before = page.items.findIndex((one) => one.received_at <= message.received_at);
      const items = [...page.items];
      items.splice(before < 0 ? items.length : before, 0, message);
      return { ...page, items };
    });
    queries.setQueryData<List>(key, { ...list, pages });
  }
  if (message.thread_id)
    void queries.invalidateQueries({ queryKey: ["thread", message.thread_id] });
}

/** Marks as the server writes them, after a change of them. */
export function marked(message: Message, change: Schemas["Keywords"]): Message {
  const keywords = new Set(message.keywords);
  const put = (keyword: string, wanted: boolean | null | undefined) => {
    if (wanted === true) keywords.add(keyword);
    if (wanted === false) keywords.delete(keyword);
  };
  put("\\Seen", change.seen);
  put("\\Flagged", change.flagged);
  put("\\Answered", change.answered);
  put("$Forwarded", change.forwarded);
  put("$Junk", change.junk);
  return { ...message, keywords: [...keywords], unread: !keywords.has("\\Seen") };
}
