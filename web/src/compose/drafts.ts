/**
 * What is being written on this page. Each change is kept in this browser at once, and given to the
 * server a moment later (saving.ts). Several pages of one browser keep out of each other's way by a
 * lock for each message; when a page goes, another takes over what it left.
 */

import { create } from "../ui/store";
import { begin, type Draft, isEmpty, isSaved, type Wanted, type Writer } from "./draft";

const PREFIX = "postbus.draft.";
const MOST_WIDE = 3; // that stand side by side; the others are put aside

export const drafts = create<Draft[]>([]);

/** Counts how often the words were replaced from outside of the editor, by draft. */
export const replaced = create<Readonly<Record<string, number>>>({});

/** Whether this browser keeps what is written: it may be full, or not allowed to. */
export const isKept = create(true);

let writer: Writer = { accounts: [], identities: [], plain: false, toAll: false };
const listeners = new Set<(key: string) => void>();
const locks = new Map<string, () => void>();

/** Called with the key of each draft that changes, comes, or goes. */
export function watch(listener: (key: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Who writes here; what an earlier page of theirs left is taken up again. */
export function writeAs(now: Writer): void {
  const known = writer.accounts.map((one) => one.id).join();
  writer = now;
  if (known === now.accounts.map((one) => one.id).join()) return;
  for (const key of keptKeys()) void takeUp(key);
}

export const find = (key: string): Draft | undefined => drafts.get().find((one) => one.key === key);

export function compose(wanted: Wanted): void {
  const answer = wanted.kind === "reply" && writer.toAll;
  open(begin(answer ? { ...wanted, kind: "replyAll" } : wanted, writer));
}

/** Show a message before the others that are written; the one that stands there comes back. */
export function open(draft: Draft): void {
  const there = drafts.get().find(
    (one) => one.key === draft.key || (draft.server && one.server?.id === draft.server.id),
  );
  if (there) {
    change(there.key, { minimised: false });
    return;
  }
  void hold(draft.key);
  let wide = 1;
  const others = drafts
    .get()
    .toReversed()
    .map((one) => (one.minimised || ++wide <= room() ? one : { ...one, minimised: true }))
    .toReversed();
  drafts.set([...others, { ...draft, minimised: false }]);
  keep(draft);
  tell(draft.key);
}

/** As many as fit side by side. */
const room = (): number => Math.max(1, Math.min(MOST_WIDE, Math.floor(window.innerWidth / 640)));

/** Something that is not the message itself: how it is shown, what the server has of it. */
export function change(key: string, changed: Partial<Draft>): void {
  drafts.set(drafts.get().map((one) => (one.key === key ? { ...one, ...changed } : one)));
  const now = find(key);
  if (now) keep(now);
}

/** What somebody wrote. */
export function write(key: string, written: Partial<Draft>): void {
  const before = find(key);
  if (!before) return;
  change(key, { ...written, changed: before.changed + 1 });
  tell(key);
}

/** Words that come from elsewhere than from the editor, which begins anew with them. */
export function replace(key: string, draft: Draft): void {
  drafts.set(drafts.get().map((one) => (one.key === key ? { ...draft, key } : one)));
  replaced.set({ ...replaced.get(), [key]: (replaced.get()[key] ?? 0) + 1 });
  keep({ ...draft, key });
  tell(key);
}

/** It is written no more on this page. */
export function close(key: string): void {
  drafts.set(drafts.get().filter((one) => one.key !== key));
  localStorage.removeItem(PREFIX + key);
  locks.get(key)?.();
  locks.delete(key);
  tell(key);
}

/** Who signs out leaves nothing behind but what the server has not taken yet. */
export function leave(): void {
  for (const draft of drafts.get()) if (isSaved(draft)) close(draft.key);
}

function tell(key: string): void {
  for (const listener of listeners) listener(key);
}

function keep(draft: Draft): void {
  if (isEmpty(draft)) return;
  try {
    localStorage.setItem(PREFIX + draft.key, JSON.stringify(draft));
    isKept.set(true);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    isKept.set(false);
  }
}

function keptKeys(): string[] {
  return Object.keys(localStorage)
    .filter((one) => one.startsWith(PREFIX))
    .map((one) => one.slice(PREFIX.length));
}

/** What another page left, once it has let go of it. */
async function takeUp(key: string): Promise<void> {
  if (locks.has(key)) return;
  await hold(key);
  const kept = localStorage.getItem(PREFIX + key);
  const draft = kept === null ? null : (JSON.parse(kept) as Draft);
  if (!draft || find(key) || !writer.accounts.some((one) => one.id === draft.accountId)) {
    if (!find(key)) {
      locks.get(key)?.();
      locks.delete(key);
    }
    return;
  }
  drafts.set([...drafts.get(), draft]);
  tell(key);
}

/** This message is written on this page and on no other. */
function hold(key: string): Promise<void> {
  return new Promise((held) => {
    void navigator.locks.request(
      PREFIX + key,
      () =>
        new Promise<void>((release) => {
          locks.set(key, release);
          held();
        }),
    );
  });
}

window.addEventListener("storage", (event) => {
  const key = event.key?.startsWith(PREFIX) ? event.key.slice(PREFIX.length) : null;
  if (key && event.newValue !== null && event.oldValue === null) void takeUp(key);
});
