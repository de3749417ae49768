import { expect, it } from "vitest";

import type { Message } from "../api/client";
import { inThreads, type Page, rowOf } from "./messages";

const page = (...messages: [id: string, thread: string | null][]): Page => ({
  items: messages.map(([id, thread_id]) => ({ id, thread_id }) as Message),
  next_cursor: null,
});
const shown = (pages: Page[]) =>
  inThreads(pages).map((row) => [row.message.id, ...row.others.map((one) => one.id)]);

it("messages of one thread are one row, where the newest stands", () => {
  expect(shown([page(["5", "a"], ["4", null], ["3", "a"]), page(["2", "b"], ["1", "a"])])).toEqual([
    ["5", "3", "1"],
    ["4"],
    ["2"],
  ]);
});

it("a list that grows is the same as one that came as a whole", () => {
  const first = page(["5", "a"], ["4", "b"]);
  const second = page(["3", "a"], ["2", null]);
  shown([]);
  const before = inThreads([first]);
  const grown = shown([first, second]);
  expect(before.map((row) => row.others.length)).toEqual([0, 0]);
  shown([page(["9", "a"])]);
  expect(grown).toEqual(shown([first, second]));
});

it("a page that changed is read anew", () => {
  const second = page(["2", "b"]);
  shown([page(["5", "a"], ["4", "b"]), second]);
  expect(shown([page(["5", "a"]), second])).toEqual([["5"], ["2"]]);
});

it("a message that stands below another is found by its row", () => {
  const rows = inThreads([page(["5", "a"], ["4", null], ["3", "a"])]);
  expect([rowOf(rows, "3"), rowOf(rows, "4"), rowOf(rows, "9"), rowOf(rows, undefined)]).toEqual([0, 1, -1, -1]);
});
