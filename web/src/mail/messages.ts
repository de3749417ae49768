/** Lists of messages, and one that is open, as the cache keeps them. */

import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
} from "@tanstack/react-query";

import { api, type Mailbox, type Message, type MessageChanges, must } from "../api/client";
import { timeZone } from "../session/preferences";
import { INBOX } from "./labels";

/** What a list is of: inboxes (of all accounts, or one), a mailbox, a label, or what a search finds. */
export type Scope =
  | { kind: "inboxes"; accountId?: string }
  | { kind: "mailbox"; mailboxId: string }
  | { kind: "label"; accountId: string; label: string }
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
                      ? { ...query, role: "inbox", account_id: scope.accountId }
                      : scope.kind === "label"
                        ? { ...query, account_id: scope.accountId, label: scope.label }
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

/** Whether a list shows a message; `mailbox` is where it is. What a search finds, only the server knows. */
export function belongs(scope: Scope, message: Message, mailbox: Mailbox | undefined): boolean {
  switch (scope.kind) {
    case "search":
      return false;
    case "mailbox":
      return message.mailbox_id === scope.mailboxId;
    case "label":
      return message.account_id === scope.accountId && message.labels.includes(scope.label);
    case "inboxes":
      if (scope.accountId && message.account_id !== scope.accountId) return false;
      return (
        mailbox?.role === "inbox" ||
        (message.labels.includes(INBOX) && mailbox?.role !== "trash" && mailbox?.role !== "junk")
      );
  }
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

/** A message as some list shows it. */
export function listed(queries: QueryClient, messageId: string): Listed | undefined {
  for (const [, list] of queries.getQueriesData<List>({ queryKey: ["messages"] }))
    for (const page of list?.pages ?? []) {
      const found = page.items.find((one) => one.id === messageId);
      if (found) return found;
    }
  return undefined;
}

/** Put a message where it belongs in each list that shows its mailbox and reaches so far. */
export function insert(queries: QueryClient, message: Message, mailbox: Mailbox | undefined): void {
  for (const [key, list] of queries.getQueriesData<List>({ queryKey: ["messages"] })) {
    if (!list || !belongs(key[1] as Scope, message, mailbox)) continue;
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

/** A message as the server will show it, after a change of its marks and labels. */
export function marked(message: Message, { keywords: marks, labels }: MessageChanges): Message {
  const keywords = changed(message.keywords, {
    "\\Seen": marks?.seen,
    "\\Flagged": marks?.flagged,
    "\\Answered": marks?.answered,
    $Forwarded: marks?.forwarded,
    $Junk: marks?.junk,
    ...marks?.custom,
  });
  return {
    ...message,
    keywords,
    labels: changed(message.labels, {
      ...Object.fromEntries((labels?.add ?? []).map((one) => [one, true])),
      ...Object.fromEntries((labels?.remove ?? []).map((one) => [one, false])),
    }),
    unread: !keywords.includes("\\Seen"),
  };
}

function changed(before: readonly string[], wanted: Record<string, boolean | null | undefined>): string[] {
  const after = new Set(before);
  for (const [name, is] of Object.entries(wanted)) {
    if (is === true) after.add(name);
    if (is === false) after.delete(name);
  }
  return [...after];
}
