/** How a search may go on: operators, their values, people and mailboxes, and what was asked before. */

import type { Mailbox, Schemas } from "../api/client";
import { inOrder } from "../mail/mailboxes";

export interface Completion {
  text: string; // the whole line, once it is chosen
  label: string;
  hint?: string;
}

export interface Known {
  recent: readonly string[];
  mailboxes: readonly Mailbox[];
  people: readonly Pick<Schemas["SuggestedPerson"], "name" | "email">[];
}

const MOST = 8;
const PEOPLE = new Set(["from", "to", "cc", "bcc", "with"]);
const VALUES: Record<string, readonly string[]> = {
  has: ["attachment", "pdf", "image", "document", "spreadsheet", "presentation", "archive", "invitation", "audio", "video"],
  is: ["unread", "starred", "read", "answered", "forwarded", "draft", "important", "signed", "encrypted"],
  before: ["today", "yesterday"],
  after: ["today", "yesterday"],
  on: ["today", "yesterday"],
  newer_than: ["1d", "7d", "1m", "1y"],
  older_than: ["7d", "1m", "1y"],
  larger: ["1M", "10M"],
  smaller: ["100k", "1M"],
};
const OPERATORS: Record<string, string> = {
  from: "ada", to: "me", cc: "bob", bcc: "bob", with: "grace", subject: "invoice", body: "\"a phrase\"",
  filename: "plan.pdf", has: "attachment", is: "unread", in: "inbox", account: "work", label: "urgent", list: "lunch",
  before: "2026-11-20", after: "2026-11", on: "yesterday", newer_than: "7d", older_than: "1y",
  larger: "1M", smaller: "100k", rfc822msgid: "<id@example.org>",
};
const LAST = /^(?<before>[^]*?)(?<sign>-?)(?:(?<operator>[a-z0-9_]+):)?(?<word>"[^"]*|\S*)$/i;

interface Last {
  before: string;
  sign: string;
  operator: string | undefined;
  word: string;
}

/** The term that is being written, at the end of a line. */
export function lastTerm(line: string): Last {
  const start = beginning(line);
  const found = LAST.exec(line.slice(start))?.groups ?? {};
  return {
    before: line.slice(0, start) + (found.before ?? ""),
    sign: found.sign ?? "",
    operator: found.operator?.toLowerCase(),
    word: (found.word ?? "").replace(/^"/, ""),
  };
}

/** After the last space that is in no phrase. */
function beginning(line: string): number {
  let at = 0;
  let quoted = false;
  for (let index = 0; index < line.length; index++) {
    if (line[index] === '"') quoted = !quoted;
    else if (!quoted && /[\s(]/.test(line[index] ?? "")) at = index + 1;
  }
  return at;
}

/** What begins the name of somebody, where one may be meant. */
export function personPrefix(line: string): string {
  const { operator, word } = lastTerm(line);
  if (operator === undefined) return word.length > 1 ? word : "";
  return PEOPLE.has(operator) ? word : "";
}

export function completions(line: string, known: Known): Completion[] {
  const trimmed = line.trim();
  if (!trimmed) return known.recent.slice(0, MOST).map((one) => ({ text: one, label: one }));
  const { before, sign, operator, word } = lastTerm(line);
  const written = (term: string) => `${before}${sign}${term} `;
  const begins = (text: string) => text.toLowerCase().startsWith(word.toLowerCase());
  const found: Completion[] = [];
  const value = (text: string, hint?: string) => {
    const term = `${operator}:${quoted(text)}`;
    found.push({ text: written(term), label: term, hint });
  };
  if (operator === undefined) {
    for (const one of known.recent)
      if (one !== trimmed && one.toLowerCase().startsWith(trimmed.toLowerCase()))
        found.push({ text: one, label: one });
    found.splice(3);
    if (word)
      for (const [name, example] of Object.entries(OPERATORS))
        if (begins(name) || name.startsWith(word.toLowerCase()))
          found.push({ text: `${before}${sign}${name}:`, label: `${name}:`, hint: example });
    for (const one of word.length > 1 ? known.people : [])
      found.push({ text: written(`from:${one.email}`), label: `from:${one.email}`, hint: one.name });
  } else if (PEOPLE.has(operator)) {
    if (word && "me".startsWith(word)) value("me");
    for (const one of known.people) value(one.email, one.name);
  } else if (operator === "in") {
    for (const name of places(known.mailboxes)) if (begins(name)) value(name);
  } else {
    for (const one of VALUES[operator] ?? []) if (begins(one) && one !== word) value(one);
  }
  return found.slice(0, MOST);
}

/** Mailboxes as `in:` takes them: by role where they have one, else by path. */
function places(mailboxes: readonly Mailbox[]): Set<string> {
  const named = inOrder(mailboxes.filter((one) => one.selectable)).map((one) =>
    one.role && ["inbox", "sent", "drafts", "archive", "trash", "junk"].includes(one.role) ? one.role : one.path,
  );
  return new Set([...named, "anywhere"]);
}

const quoted = (text: string): string => (/[\s()"]/.test(text) ? `"${text.replaceAll('"', "")}"` : text);

/** The line without the term at `position`, where terms stand side by side; else null. */
export function without(line: string, positions: readonly number[], position: number): string | null {
  if (/[()]|\bOR\b/.test(line)) return null;
  const letters = Array.from(line); // positions count characters, and some are two units in a string
  const from = letters.slice(0, position).join("").replace(/(-|\bNOT\s+)$/, "");
  const next = Math.min(...positions.filter((one) => one > position), letters.length);
  const rest = letters.slice(next).join("");
  const sign = next < letters.length ? (/(-|\bNOT\s+)$/.exec(letters.slice(position, next).join(""))?.[0] ?? "") : "";
  return `${from}${sign}${rest}`.trim();
}
