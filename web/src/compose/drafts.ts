/** What is being written: kept in this browser at each pause, so that nothing is lost with a page. */

import type { OpenMessage, Person } from "../api/client";
import { create } from "../ui/store";

export interface Attached {
  id: string;
  name: string;
  size: number;
}

export interface Draft {
  key: string;
  accountId: string | null; // null: the first one
  to: Person[];
  cc: Person[];
  bcc: Person[];
  subject: string;
  html: string;
  attachments: Attached[];
  answers: { id: string; kind: "reply" | "forward" } | null;
  minimised: boolean;
}

export type Wanted =
  | { kind: "new"; to?: Person[]; subject?: string }
  | { kind: "reply" | "replyAll"; to: OpenMessage }
  | { kind: "forward"; of: OpenMessage };

const KEY = "postbus.drafts";
const MOST_OPEN = 4;

export const drafts = create<Draft[]>(remembered());

function remembered(): Draft[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as Draft[];
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DOMException) return [];
    throw error;
  }
}

function keep(next: Draft[]): void {
  drafts.set(next);
  localStorage.setItem(KEY, JSON.stringify(next));
}

/** How a message is answered is said in the language of who answers. */
export interface Phrases {
  wrote: (message: OpenMessage) => string;
  own: ReadonlySet<string>;
}

let phrases: Phrases = { wrote: () => "", own: new Set() };

export function speak(now: Phrases): void {
  phrases = now;
}

export function compose(wanted: Wanted): void {
  reopen(begin(wanted, phrases));
}

/** Show what is being written, before everything else that is. */
export function reopen(draft: Draft): void {
  const open = drafts.get();
  if (open.length < MOST_OPEN)
    keep([...open.map((one) => ({ ...one, minimised: true })), { ...draft, minimised: false }]);
}

export function change(key: string, changed: Partial<Draft>): void {
  keep(drafts.get().map((one) => (one.key === key ? { ...one, ...changed } : one)));
}

export function close(key: string): void {
  keep(drafts.get().filter((one) => one.key !== key));
}

export function begin(wanted: Wanted, { wrote, own }: Phrases): Draft {
  const empty: Draft = {
    key: crypto.randomUUID(),
    accountId: null,
    to: [],
    cc: [],
    bcc: [],
    subject: "",
    html: "",
    attachments: [],
    answers: null,
    minimised: false,
  };
  if (wanted.kind === "new") return { ...empty, to: wanted.to ?? [], subject: wanted.subject ?? "" };
  if (wanted.kind === "forward") {
    const { of } = wanted;
    return {
      ...empty,
      accountId: of.account_id,
      subject: prefixed("Fwd", of.subject),
      answers: { id: of.id, kind: "forward" },
    };
  }
  const { to: message } = wanted;
  const isOwn = (person: Person) => own.has(person.email.toLowerCase());
  const sender = message.from ? [message.from] : [];
  // An answer to what one wrote goes to whom one wrote it.
  const answered =
    message.from && isOwn(message.from)
      ? message.to
      : message.reply_to.length
        ? message.reply_to
        : sender;
  const others =
    wanted.kind === "replyAll"
      ? [...message.to, ...message.cc].filter(
          (one) => !isOwn(one) && !answered.some((who) => same(who, one)),
        )
      : [];
  return {
    ...empty,
    accountId: message.account_id,
    to: unique(answered),
    cc: unique(others),
    subject: prefixed("Re", message.subject),
    html: `<p></p><p>${escaped(wrote(message))}</p>${quoted(message)}`,
    answers: { id: message.id, kind: "reply" },
  };
}

const same = (a: Person, b: Person) => a.email.toLowerCase() === b.email.toLowerCase();

const unique = (people: readonly Person[]) =>
  people.filter((one, at) => people.findIndex((other) => same(one, other)) === at);

/** RFC 5322 §3.6.5: once, however often it is answered. */
const prefixed = (prefix: string, subject: string) =>
  new RegExp(`^${prefix}\\s*:`, "i").test(subject) ? subject : `${prefix}: ${subject}`;

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const quoted = (message: OpenMessage) =>
  `<blockquote>${message.text
    .split(/\n{2,}/)
    .map((part) => `<p>${escaped(part).replaceAll("\n", "<br>")}</p>`)
    .join("")}</blockquote>`;
