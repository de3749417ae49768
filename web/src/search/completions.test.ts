import { expect, it } from "vitest";

import type { Mailbox } from "../api/client";
import { turns } from "./Snippet";
import { completions, type Known, lastTerm, personPrefix, without } from "./completions";

const known: Known = {
  recent: ["invoice 2026", "from:bob"],
  mailboxes: [
    { path: "INBOX", role: "inbox", selectable: true },
    { path: "Work/Big plans", role: null, selectable: true },
    { path: "Work", role: null, selectable: false },
  ] as Mailbox[],
  people: [{ name: "Grace Hopper", email: "grace@example.org" }],
};

const offered = (line: string) => completions(line, known).map((one) => one.text);

it("an empty line offers what was looked for lately", () => {
  expect(offered(" ")).toEqual(["invoice 2026", "from:bob"]);
});

it("a word offers searches, operators and people that begin so", () => {
  expect(offered("in")).toContain("invoice 2026");
  expect(offered("lunch ha")).toContain("lunch has:");
  expect(offered("gra")).toContain("from:grace@example.org ");
});

it("an operator offers its values, and keeps what stands before it", () => {
  expect(offered("lunch -is:un")).toEqual(["lunch -is:unread "]);
  expect(offered("from:gra")).toEqual(["from:grace@example.org "]);
  expect(offered("has:attachment")).toEqual([]);
});

it("mailboxes are offered by role or path, in quotes where they have spaces", () => {
  expect(offered("in:")).toEqual(["in:inbox ", 'in:"Work/Big plans" ', "in:anywhere "]);
  expect(offered('lunch in:"Work/Big p')).toEqual(['lunch in:"Work/Big plans" ']);
});

it("a phrase is one term", () => {
  expect(lastTerm('subject:"big plans').word).toBe("big plans");
  expect(personPrefix('from:"Grace H')).toBe("Grace H");
  expect(personPrefix("subject:gra")).toBe("");
});

it("a term is taken out with its sign, and the others stay", () => {
  expect(without("lunch -is:unread from:bob", [0, 7, 17], 7)).toBe("lunch from:bob");
  expect(without("lunch -is:unread from:bob", [0, 7, 17], 0)).toBe("-is:unread from:bob");
  expect(without("🍜 lunch", [0, 2], 0)).toBe("lunch");
  expect(without("(a OR b) c", [1, 6, 9], 9)).toBeNull();
});

it("a snippet is text, whatever stands in it", () => {
  expect(turns("1 &lt; 2 &amp;amp; <mark>ramen</mark>!")).toEqual(["1 < 2 &amp; ", "ramen", "!"]);
});
