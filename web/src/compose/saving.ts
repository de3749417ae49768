/**
 * What is written comes to the server: a moment after each pause, again and again while it is not
 * reached, and whichever page one looks at. Every step may be repeated: a message is begun and sent
 * under a key of its own, and saved over the version that was seen last.
 */

import { api, must, type Submission } from "../api/client";
import { ApiProblem, isSignedOut, Unreached } from "../api/problem";
import { create } from "../ui/store";
import {
  agrees,
  anew,
  type Attached,
  bodyOf,
  type Draft,
  fromServer,
  isEmpty,
  isSaved,
  type ServerDraft,
  type Wish,
} from "./draft";
import { change, close, drafts, find, open, replace, watch } from "./drafts";
import { paragraphs } from "./words";

export type Standing =
  | { kind: "saving" }
  | { kind: "waiting" } // for the server to be there again
  | { kind: "refused"; error: Error } // until something is changed
  | { kind: "conflict"; theirs: Draft } // changed elsewhere meanwhile
  | { kind: "gone" }; // sent or thrown away elsewhere

/** How it stands with each message that the server does not have as it is written. */
export const standings = create<Readonly<Record<string, Standing>>>({});

const PAUSE_MILLISECONDS = 800;
const LONGEST_WAIT_MILLISECONDS = 30_000;
const UNDO_SECONDS = 10; // how long a message waits, so that it can be taken back

const timers = new Map<string, number>();
const busy = new Set<string>();
const tries = new Map<string, number>();

let onSent: (draft: Draft, submission: Submission) => void = () => undefined;

/** What is done once a message is sent. */
export function whenSent(run: typeof onSent): void {
  onSent = run;
}

watch((key) => {
  const draft = find(key);
  const standing = standings.get()[key];
  if (!draft) settle(key, null);
  else if (standing?.kind === "refused") settle(key, null);
  if (draft && standing?.kind !== "conflict" && standing?.kind !== "gone") soon(key, PAUSE_MILLISECONDS);
});

/** The server is there again, or somebody is signed in again. */
export function hurry(): void {
  for (const { key } of drafts.get()) {
    tries.delete(key);
    if (standings.get()[key]?.kind === "waiting") soon(key, 0);
  }
  void throwAway();
}
window.addEventListener("online", hurry);

/** Send it, now or at a moment, once everything is saved; also when the server comes back later. */
export function send(key: string, sendAt: Date | null): void {
  change(key, { wish: { key: crypto.randomUUID(), sendAt: sendAt?.toISOString() ?? null } });
  soon(key, 0);
}

/** It is not to be sent after all, as far as nobody knows that it was. */
export const holdBack = (key: string): void => change(key, { wish: null });

/** Nobody writes it any more. */
export function discard(draft: Draft): void {
  if (draft.server) unwanted(draft.server.id);
  close(draft.key);
}

/** What is written here is right; what was written elsewhere is not. */
export function keepMine(key: string, theirs: Draft): void {
  change(key, { server: theirs.server });
  settle(key, null);
  soon(key, 0);
}

/** What was written elsewhere is right. */
export function takeTheirs(key: string, theirs: Draft): void {
  settle(key, null);
  replace(key, theirs);
}

/** Both are kept: what is written here becomes a message of its own. */
export function keepBoth(draft: Draft): void {
  close(draft.key);
  open(anew(draft));
}

/** Written from another account from now on: there it is another draft. */
export function moveTo(draft: Draft): Partial<Draft> {
  if (draft.server) unwanted(draft.server.id);
  return { server: null, begunAs: crypto.randomUUID() };
}

/** A draft that is on the server, written on here. */
export async function openKept(kept: ServerDraft): Promise<void> {
  open(fromServer(kept, await attachedOf(kept)));
}

function settle(key: string, standing: Standing | null): void {
  const others = Object.fromEntries(Object.entries(standings.get()).filter(([one]) => one !== key));
  standings.set(standing ? { ...others, [key]: standing } : others);
}

function soon(key: string, after: number): void {
  window.clearTimeout(timers.get(key));
  timers.set(
    key,
    window.setTimeout(() => void work(key), after),
  );
}

async function work(key: string): Promise<void> {
  if (busy.has(key)) return;
  busy.add(key);
  try {
    await carry(key);
    tries.delete(key);
  } catch (error) {
    failed(key, error);
  } finally {
    busy.delete(key);
  }
  // What was written meanwhile.
  const draft = find(key);
  if (draft && !standings.get()[key] && needsWork(draft)) soon(key, PAUSE_MILLISECONDS);
}

const needsWork = (draft: Draft): boolean =>
  !isSaved(draft) || draft.wish !== null || (draft.quoted?.made === false && !isEmpty(draft)) || isForwarded(draft);

/** What is passed on is fetched at once: somebody wants to see which files go with it. */
const isForwarded = (draft: Draft): boolean => draft.answers?.kind === "forward" && draft.quoted?.made === false;

function failed(key: string, error: unknown): void {
  const again =
    error instanceof Unreached ||
    isSignedOut(error) ||
    (error instanceof ApiProblem && (error.problem.status >= 500 || error.problem.status === 429));
  if (!again) {
    change(key, { wish: null });
    settle(key, { kind: "refused", error: error instanceof Error ? error : new Error(String(error)) });
    return;
  }
  const count = (tries.get(key) ?? 0) + 1;
  tries.set(key, count);
  settle(key, { kind: "waiting" });
  soon(key, Math.min(LONGEST_WAIT_MILLISECONDS, 1_000 * 2 ** (count - 1)));
}

/** Everything that the server does not know yet. */
async function carry(key: string): Promise<void> {
  const first = find(key);
  if (!first || !needsWork(first)) return;
  settle(key, { kind: "saving" });
  if (!first.server || first.quoted?.made === false) await begin(first);
  await save(key);
  const draft = find(key);
  const standing = standings.get()[key]?.kind;
  // What was written meanwhile is saved first.
  if (draft?.wish && standing === "saving" && isSaved(draft)) await sendNow(draft, draft.wish);
  if (standings.get()[key]?.kind === "saving") settle(key, null);
}

/** The server makes a draft, with what is quoted or passed on below it. */
async function begin(draft: Draft): Promise<void> {
  const { accountId, answers, plain, key } = draft;
  const empty = plain ? { text: "" } : { html: "" };
  const below =
    draft.quoted && answers
      ? answers.kind === "reply"
        ? { in_reply_to: answers.id, quote: true, ...empty }
        : { forward_of: answers.id, ...empty }
      : {};
  const kept = await must(
    api.POST("/api/v1/drafts", {
      params: { header: { "Idempotency-Key": draft.begunAs } },
      body: { account_id: accountId, ...below },
    }),
  );
  const attachments = await attachedOf(kept);
  const now = find(key);
  if (!now || now.accountId !== accountId) {
    unwanted(kept.id); // thrown away, or written from elsewhere, meanwhile
    return;
  }
  const known = { server: { id: kept.id, version: kept.version } };
  if (now.quoted?.made !== false || !draft.quoted) {
    change(key, known);
    return;
  }
  const more = {
    attachments: [...now.attachments, ...attachments],
    changed: now.changed + 1,
  };
  const words = kept.text ?? "";
  if (now.plain) change(key, { ...known, ...more, quoted: null, text: `${now.text.trimEnd()}\n\n${words}` });
  else change(key, { ...known, ...more, quoted: { made: true, html: kept.html ?? paragraphs(words) } });
}

async function save(key: string): Promise<void> {
  const draft = find(key);
  if (!draft?.server || isSaved(draft)) return;
  const { id, version } = draft.server;
  const at = draft.changed;
  try {
    const kept = await must(
      api.PATCH("/api/v1/drafts/{draft_id}", {
        params: { path: { draft_id: id }, header: { "If-Match": `"${version}"` } },
        body: bodyOf(draft),
      }),
    );
    change(key, { server: { id, version: kept.version }, saved: at });
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    if (error.problem.status === 412) await compare(draft);
    else if (error.problem.status === 404 && error.problem.errors?.some((one) => one.pointer)) throw error;
    else if (error.problem.status === 404 && draft.wish) await sendNow(draft, draft.wish);
    else if (error.problem.status === 404) settle(key, { kind: "gone" });
    else throw error;
  }
}

/** It has changed since. Perhaps by our own request, whose answer did not come. */
async function compare(draft: Draft): Promise<void> {
  const { key, server, changed } = draft;
  if (!server) return;
  const theirs = await must(
    api.GET("/api/v1/drafts/{draft_id}", { params: { path: { draft_id: server.id } } }),
  );
  if (agrees(theirs, draft)) {
    change(key, { server: { id: server.id, version: theirs.version }, saved: changed });
    return;
  }
  change(key, { wish: null });
  settle(key, {
    kind: "conflict",
    theirs: fromServer(theirs, await attachedOf(theirs), draft),
  });
}

async function sendNow(draft: Draft, wish: Wish): Promise<void> {
  if (!draft.server) return;
  const { id, version } = draft.server;
  try {
    const submission = await must(
      api.POST("/api/v1/drafts/{draft_id}/send", {
        params: {
          path: { draft_id: id },
          header: { "If-Match": `"${version}"`, "Idempotency-Key": wish.key },
        },
        body: wish.sendAt ? { send_at: wish.sendAt } : { undo_seconds: UNDO_SECONDS },
      }),
    );
    close(draft.key);
    onSent(draft, submission);
  } catch (error) {
    const status = error instanceof ApiProblem ? error.problem.status : 0;
    if (status === 412) await compare(draft);
    else if (status === 404) {
      change(draft.key, { wish: null });
      settle(draft.key, { kind: "gone" });
    } else throw error;
  }
}

const GONE = "postbus.unwanted";

/** A draft that is to go from the server, when it is reached. */
function unwanted(id: string): void {
  localStorage.setItem(GONE, JSON.stringify([...waiting(), id]));
  void throwAway();
}

const waiting = (): string[] => JSON.parse(localStorage.getItem(GONE) ?? "[]") as string[];

async function throwAway(): Promise<void> {
  for (const id of waiting()) {
    const { response } = await api
      .DELETE("/api/v1/drafts/{draft_id}", { params: { path: { draft_id: id } } })
      .catch((error: unknown) => {
        if (error instanceof Unreached) return { response: null };
        throw error;
      });
    if (!response || response.status === 401 || response.status >= 500) return;
    localStorage.setItem(GONE, JSON.stringify(waiting().filter((one) => one !== id)));
  }
}

/** The files of a draft, by the names under which they were uploaded. */
async function attachedOf({ attachments, html }: ServerDraft): Promise<Attached[]> {
  return Promise.all(
    attachments.map(async (one) => {
      const { data } = await api.GET("/api/v1/uploads/{upload_id}", {
        params: { path: { upload_id: one.upload_id } },
      });
      const isShown = one.content_id !== null && html?.includes(`cid:${one.content_id}`);
      return {
        id: one.upload_id,
        name: one.name ?? data?.name ?? "",
        size: data?.size_bytes ?? null,
        contentId: isShown ? one.content_id : null,
      };
    }),
  );
}
