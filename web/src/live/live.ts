/** News from the server: one stream of events, from which every list and number is kept current. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { type Account, type Mailbox, type Message, type Person } from "../api/client";
import { mailboxesQuery } from "../mail/mailboxes";
import { labelsOf, labelsQuery } from "../mail/labels";
import { belongs, changeLists, insert } from "../mail/messages";
import { nameOf } from "../mail/people";
import { accountsQuery } from "../session/session";
import { create } from "../ui/store";
import { announce } from "./notifying";

/** Whether the stream is open. */
export const reached = create(true);

interface LogEvent {
  type: string;
  account_id: string | null;
  data: Record<string, unknown>;
}

interface Told {
  id: string;
  account_id: string;
  mailbox_id: string | null;
  thread_id: string | null;
  keywords: string[];
  labels?: string[]; // left out where they are as they were
  unread: boolean;
}

interface Received extends Told {
  subject: string;
  from: Person | null;
  received_at: string;
  preview: string;
  has_attachments: boolean;
}

const TYPES = [
  "message.received",
  "messages.added",
  "message.updated",
  "message.moved",
  "message.deleted",
  "account.created",
  "account.updated",
  "account.state_changed",
  "account.progress",
  "account.deleted",
  "mailbox.created",
  "mailbox.updated",
  "mailbox.deleted",
  "submission.created",
  "submission.accepted",
  "submission.partially_accepted",
  "submission.deferred",
  "submission.failed",
  "submission.uncertain",
  "submission.canceled",
  "submission.bounced",
  "submission.complained",
];
const GATHERED_MILLISECONDS = 300;

export function useLive(): void {
  const queries = useQueryClient();
  useEffect(() => {
    const stale = gathering(queries);
    let source: EventSource | null = null;
    let retry = 0;
    let cursor: string | null = null;
    let ended = false;
    let refused = false;
    const open = () => {
      const after = cursor ? `?after=${encodeURIComponent(cursor)}` : "";
      source = new EventSource(`/api/v1/events${after}`);
      source.onopen = () => {
        // What happened between a first page and the stream, or while nobody was reached.
        if (!reached.get() || !cursor) stale.add("messages", "mailboxes", "accounts");
        reached.set(true);
        refused = false;
      };
      source.onerror = () => {
        reached.set(false);
        // EventSource comes again by itself, unless it was refused.
        if (source?.readyState === EventSource.CLOSED && !ended) {
          window.clearTimeout(retry);
          retry = window.setTimeout(() => {
            // Who is in front of the server may have said no; twice, and it was the server, to whom
            // the cursor is too old: from now on, with all asked anew.
            if (refused) cursor = null;
            refused = true;
            open();
          }, 3_000);
        }
      };
      for (const type of TYPES)
        source.addEventListener(type, (message: MessageEvent<string>) => {
          cursor = message.lastEventId;
          take(queries, JSON.parse(message.data) as LogEvent, stale);
        });
    };
    open();
    return () => {
      ended = true;
      window.clearTimeout(retry);
      stale.end();
      source?.close();
    };
  }, [queries]);
}

interface Stale {
  add: (...keys: string[]) => void;
  end: () => void;
}

/** Ask anew for what changed, once for many changes. */
function gathering(queries: QueryClient): Stale {
  const waiting = new Set<string>();
  let timer = 0;
  return {
    add: (...keys) => {
      for (const key of keys) waiting.add(key);
      timer ||= window.setTimeout(() => {
        timer = 0;
        for (const key of waiting) void askAnew(queries, key);
        waiting.clear();
      }, GATHERED_MILLISECONDS);
    },
    end: () => window.clearTimeout(timer),
  };
}

/** A first answer that is on its way may be older than what was told: it is asked for once more. */
async function askAnew(queries: QueryClient, key: string): Promise<void> {
  const first = queries.getQueryCache().findAll({
    queryKey: [key],
    fetchStatus: "fetching",
    predicate: (query) => query.state.data === undefined,
  });
  await Promise.allSettled(first.map((query) => query.fetch()));
  await queries.invalidateQueries({ queryKey: [key] });
}

function take(queries: QueryClient, event: LogEvent, stale: Stale): void {
  const [thing] = event.type.split(".");
  switch (event.type) {
    case "message.received":
      if (!received(queries, event.data as unknown as Received)) stale.add("messages");
      stale.add("mailboxes");
      if (isNewsOfLabels(queries, event.data as unknown as Told)) stale.add("labels");
      return;
    case "message.updated":
      if (updated(queries, event.data as unknown as Told)) stale.add("messages");
      if (isNewsOfLabels(queries, event.data as unknown as Told)) stale.add("labels");
      stale.add("thread");
      stale.add("mailboxes");
      return;
    case "message.moved":
      moved(queries, event.data as unknown as Told);
      stale.add("mailboxes", "messages");
      return;
    case "message.deleted": {
      const { id } = event.data as { id: string };
      changeLists(queries, (message) => (message.id === id ? null : message));
      stale.add("mailboxes");
      return;
    }
    case "messages.added":
      stale.add("messages", "mailboxes", "labels");
      return;
    case "account.progress":
      progressed(queries, event.data as { id: string; done: number; total: number });
      return;
    default:
      if (thing === "account") stale.add("accounts", "mailboxes");
      // What a list is of depends on the roles of mailboxes; and one can be told after its mail.
      else if (thing === "mailbox") stale.add("mailboxes", "messages");
      else if (thing === "submission") stale.add("submissions");
  }
}

const boxOf = (queries: QueryClient, id: string | null): Mailbox | undefined =>
  queries.getQueryData(mailboxesQuery.queryKey)?.find((one) => one.id === id);

/** Whether it could be said which lists show it. */
function received(queries: QueryClient, told: Received): boolean {
  const box = boxOf(queries, told.mailbox_id);
  if (!box) return false;
  const message: Message = {
    ...told,
    labels: told.labels ?? [],
    to: [],
    sent_at: null,
    size_bytes: 0,
    has_html: false,
    attachment_count: told.has_attachments ? 1 : 0,
    pending: false,
  };
  insert(queries, message, box);
  if (belongs({ kind: "inboxes" }, message, box) && told.unread)
    announce({ id: told.id, sender: nameOf(told.from) ?? "", subject: told.subject });
  return true;
}

/** Whether it has other labels now, so that other lists may show it. */
function updated(queries: QueryClient, told: Told): boolean {
  let relabelled = false;
  changeLists(queries, (message) => {
    if (message.id !== told.id) return message;
    const labels = told.labels ?? message.labels;
    relabelled ||= String(message.labels) !== String(labels);
    return {
      ...message,
      thread_id: told.thread_id,
      keywords: told.keywords,
      labels,
      unread: told.unread,
    };
  });
  return relabelled;
}

function moved(queries: QueryClient, told: Told): void {
  const box = boxOf(queries, told.mailbox_id);
  const { mailbox_id, keywords, unread } = told;
  changeLists(queries, (message, scope) => {
    if (message.id !== told.id) return message;
    const now = { ...message, mailbox_id, keywords, labels: told.labels ?? message.labels, unread };
    return scope.kind === "search" || belongs(scope, now, box) ? now : null;
  });
}

/** Whether a label is new, or the numbers beside labels are no longer right. */
function isNewsOfLabels(queries: QueryClient, told: Told): boolean {
  if (told.labels?.length) return true;
  const known = queries.getQueryData(labelsQuery.queryKey) ?? [];
  return labelsOf({ labels: [], ...told }).some(
    (one) =>
      !known.some((other) => other.name === one.name && other.account_id === told.account_id),
  );
}

function progressed(queries: QueryClient, told: { id: string; done: number; total: number }): void {
  queries.setQueryData<Account[] | null>(accountsQuery.queryKey, (accounts) =>
    accounts?.map((one) =>
      one.id === told.id
        ? {
            ...one,
            progress: {
              mailbox: null,
              ends_at: null,
              ...one.progress,
              done: told.done,
              total: told.total,
            },
          }
        : one,
    ),
  );
}
