/** What people do with messages: shown at once, carried out by the server, and undone on request. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";

import { api, type Job, type Mailbox, type Message, type MessageChanges, must, type Schemas } from "../api/client";
import { type Say, useSay } from "../strings/use";
import { toast } from "../ui/toasts";
import { hasOwn, INBOX, type KnownLabel, keywordOf, labelsQuery } from "./labels";
import { mailboxesQuery, withRole } from "./mailboxes";
import { belongs, changeLists, insert, marked } from "./messages";

export type Done =
  | { kind: "marks"; seen?: boolean; flagged?: boolean }
  | { kind: "archive" | "delete" | "junk" | "notJunk" }
  | { kind: "move"; mailbox: Mailbox }
  | { kind: "labels"; add: readonly string[]; remove: readonly string[] };

const AT_ONCE = 1_000; // messages of one request, as the API allows

/** All messages of a list, also those that were not loaded: the server finds them. */
export interface Everything {
  queries: { accountId: string; query: Schemas["MessageQuery"] }[];
  count: number | null; // null: nobody counted
}

/** Carry out what was chosen, for everything in a list; `loaded` is what is shown of it. */
export function useChangeEverything(): (all: Everything, loaded: readonly Message[], done: Done) => void {
  const queries = useQueryClient();
  const say = useSay();
  return useCallback(
    (all, loaded, done) => void carryOutEverything(queries, say, all, loaded, done),
    [queries, say],
  );
}

/** Carry out what was chosen, for these messages. */
export function useChange(): (messages: readonly Message[], done: Done) => void {
  const queries = useQueryClient();
  const say = useSay();
  return useCallback(
    (messages, done) => {
      if (messages.length) void carryOut(queries, say, messages, done);
    },
    [queries, say],
  );
}

async function carryOut(
  queries: QueryClient,
  say: Say,
  messages: readonly Message[],
  done: Done,
): Promise<void> {
  const mailboxes = queries.getQueryData(mailboxesQuery.queryKey) ?? [];
  const known = queries.getQueryData(labelsQuery.queryKey) ?? [];
  const plans = planned(messages, done, mailboxes, known);
  if (plans === null) {
    toast(say(done.kind === "junk" ? "done.noJunk" : "done.noArchive"));
    return;
  }
  for (const plan of plans) show(queries, plan, mailboxes);
  const jobs: Job[] = [];
  try {
    for (const plan of plans) {
      for (let at = 0; at < plan.messages.length; at += AT_ONCE) {
        const answer = await must(
          api.POST("/api/v1/messages:batch", {
            body: {
              message_ids: plan.messages.slice(at, at + AT_ONCE).map((one) => one.id),
              change: plan.change,
            },
          }),
        );
        jobs.push(...answer.jobs);
      }
    }
  } catch (error) {
    takeBack(queries);
    toast(say("done.failed", { detail: error instanceof Error ? error.message : String(error) }));
    return;
  }
  const text = said(say, done, messages.length);
  if (text)
    toast(text, {
      label: say("app.undo"),
      run: () => void undo(queries, say, jobs, messages, mailboxes),
    });
}

/** One job for each account, whatever becomes of this page. */
async function carryOutEverything(
  queries: QueryClient,
  say: Say,
  all: Everything,
  loaded: readonly Message[],
  done: Done,
): Promise<void> {
  const mailboxes = queries.getQueryData(mailboxesQuery.queryKey) ?? [];
  const known = queries.getQueryData(labelsQuery.queryKey) ?? [];
  const jobs: Job[] = [];
  const refused = done.kind === "junk" ? "done.noJunk" : "done.noArchive";
  const wanted: { query: Schemas["MessageQuery"]; change: MessageChanges }[] = [];
  for (const { accountId, query } of all.queries) {
    const change = changeOf(done, accountId, mailboxes, known);
    if (!change) {
      toast(say(refused));
      return;
    }
    wanted.push({ query, change });
  }
  for (const plan of planned(loaded, done, mailboxes, known) ?? []) show(queries, plan, mailboxes);
  try {
    for (const body of wanted) {
      const answer = await must(api.POST("/api/v1/messages:batch", { body }));
      jobs.push(...answer.jobs);
    }
  } catch (error) {
    takeBack(queries);
    toast(say("done.failed", { detail: error instanceof Error ? error.message : String(error) }));
    return;
  }
  toast(say("done.everything", { count: all.count ?? 0 }), {
    label: say("app.undo"),
    run: () => void undo(queries, say, jobs, loaded, mailboxes),
  });
  takeBack(queries);
}

function changeOf(
  done: Done,
  account: string,
  mailboxes: readonly Mailbox[],
  known: readonly KnownLabel[],
): MessageChanges | null {
  const own = hasOwn(known, account);
  switch (done.kind) {
    case "marks":
      return { keywords: { seen: done.seen, flagged: done.flagged } };
    case "delete":
      return { delete: true };
    case "labels": {
      if (own) return { labels: { add: [...done.add], remove: [...done.remove] } };
      const custom: Record<string, boolean> = {};
      for (const name of done.add) custom[keywordOf(name) ?? name] = true;
      for (const name of done.remove) custom[keywordOf(name) ?? name] = false;
      return { keywords: { custom } };
    }
    case "archive":
      // What has labels is in the archive all the time, and in the inbox by its label.
      if (own && !withRole(mailboxes, account, "archive")) return { labels: { remove: [INBOX] } };
  }
  const to = target(done, account, mailboxes);
  const keywords = done.kind === "junk" || done.kind === "notJunk" ? { junk: done.kind === "junk" } : undefined;
  const labels = own && done.kind === "notJunk" ? { add: [INBOX] } : undefined;
  return to ? { mailbox_id: to.id, keywords, labels } : null;
}

interface Plan {
  messages: Message[];
  change: MessageChanges;
  to: Mailbox | null; // where they are shown from now on
}

function planned(
  messages: readonly Message[],
  done: Done,
  mailboxes: readonly Mailbox[],
  known: readonly KnownLabel[],
): Plan[] | null {
  if (done.kind === "marks") {
    const { seen, flagged } = done;
    return [{ messages: [...messages], change: { keywords: { seen, flagged } }, to: null }];
  }
  const byAccount = Map.groupBy(messages, (one) => one.account_id);
  const plans: Plan[] = [];
  for (const [account, theirs] of byAccount) {
    const change = changeOf(done, account, mailboxes, known);
    if (!change) return null;
    const to =
      done.kind === "labels" ? undefined
      : done.kind === "delete" ? withRole(mailboxes, account, "trash")
      : target(done, account, mailboxes);
    plans.push({ messages: theirs, change, to: to ?? null });
  }
  return plans;
}

function target(
  done: Exclude<Done, { kind: "marks" | "labels" }>,
  account: string,
  mailboxes: readonly Mailbox[],
): Mailbox | undefined {
  switch (done.kind) {
    case "move":
      return done.mailbox.account_id === account ? done.mailbox : undefined;
    case "archive":
      return withRole(mailboxes, account, "archive") ?? withRole(mailboxes, account, "all");
    case "junk":
      return withRole(mailboxes, account, "junk");
    default:
      return withRole(mailboxes, account, "inbox") ?? withRole(mailboxes, account, "all");
  }
}

/** Lists and numbers as they will be. */
function show(queries: QueryClient, plan: Plan, mailboxes: readonly Mailbox[]): void {
  const ids = new Set(plan.messages.map((one) => one.id));
  const { to, change } = plan;
  changeLists(queries, (message, scope) => {
    if (!ids.has(message.id)) return message;
    const now = { ...marked(message, change), mailbox_id: to?.id ?? message.mailbox_id };
    if (scope.kind === "search" || !(to || change.delete || change.labels)) return now;
    const box = mailboxes.find((one) => one.id === now.mailbox_id);
    return (to || !change.delete) && belongs(scope, now, box) ? now : null;
  });
  count(queries, plan, mailboxes);
}

function count(queries: QueryClient, plan: Plan, mailboxes: readonly Mailbox[]): void {
  const total = new Map<string, number>();
  const unread = new Map<string, number>();
  const add = (to: Map<string, number>, id: string | null | undefined, by: number) => {
    if (id) to.set(id, (to.get(id) ?? 0) + by);
  };
  for (const message of plan.messages) {
    const seen = plan.change.keywords?.seen;
    const after = typeof seen === "boolean" ? !seen : message.unread;
    const goes = plan.to !== null && plan.to.id !== message.mailbox_id;
    add(unread, message.mailbox_id, message.unread ? -1 : 0);
    add(unread, goes ? plan.to?.id : message.mailbox_id, after ? 1 : 0);
    if (goes) {
      add(total, message.mailbox_id, -1);
      add(total, plan.to?.id, 1);
    }
  }
  queries.setQueryData(
    mailboxesQuery.queryKey,
    mailboxes.map((one) =>
      total.has(one.id) || unread.has(one.id)
        ? {
            ...one,
            message_count: Math.max(0, one.message_count + (total.get(one.id) ?? 0)),
            unread_count: Math.max(0, one.unread_count + (unread.get(one.id) ?? 0)),
          }
        : one,
    ),
  );
}

async function undo(
  queries: QueryClient,
  say: Say,
  jobs: readonly Job[],
  messages: readonly Message[],
  mailboxes: readonly Mailbox[],
): Promise<void> {
  try {
    const ids = new Map(messages.map((one) => [one.id, one]));
    changeLists(queries, (message) => ids.get(message.id) ?? message);
    for (const message of messages)
      insert(queries, message, mailboxes.find((one) => one.id === message.mailbox_id));
    for (const job of jobs)
      await must(
        api.POST("/api/v1/jobs/{job_id}:undo", {
          params: { path: { job_id: job.id }, header: { Prefer: "wait=5" } },
        }),
      );
    toast(say("app.undone"));
  } catch (error) {
    toast(say("done.failed", { detail: error instanceof Error ? error.message : String(error) }));
  }
  takeBack(queries);
}

/** What is shown is what the server says. */
function takeBack(queries: QueryClient): void {
  void queries.invalidateQueries({ queryKey: ["messages"] });
  void queries.invalidateQueries({ queryKey: ["thread"] });
  void queries.invalidateQueries({ queryKey: ["mailboxes"] });
  void queries.invalidateQueries({ queryKey: ["labels"] });
}

function said(say: Say, done: Done, count: number): string | null {
  switch (done.kind) {
    case "marks":
      return null;
    case "archive":
      return say("done.archived", { count });
    case "delete":
      return say("done.deleted", { count });
    case "junk":
      return say("done.junked", { count });
    case "notJunk":
      return say("done.moved", { count, name: say("box.inbox") });
    case "move":
      return say("done.moved", { count, name: done.mailbox.name });
    case "labels":
      return say("done.labelled", { count });
  }
}
