import { expect, it } from "vitest";

import { keywordOf, labelsOf, shownLabel } from "./labels";
import { belongs } from "./messages";

import type { Mailbox, Message } from "../api/client";

const say = (id: string) => id;

it("what programs mark for each other is no label of anybody", () => {
  const keywords = ["\\Seen", "$label1", "$Forwarded", "NonJunk", "$MDNSent", "to_do"];
  const labels = ["\\Inbox", "Work", "a_b"];
  expect(labelsOf({ keywords, labels }).map((one) => shownLabel(one, say))).toEqual([
    "Work",
    "a_b",
    "label.important",
    "to do",
  ]);
});

it("a keyword is made of what IMAP lets it be made of", () => {
  expect(keywordOf(" to  do ")).toBe("to_do");
  expect(["$label2", "Später", "a(b", "NonJunk", "$Junk", " "].map(keywordOf)).toEqual([
    "$label2",
    null,
    null,
    null,
    null,
    null,
  ]);
});

it("what came in is in the inbox by its mailbox or by its label, and not in the trash", () => {
  const box = (role: string | null) => ({ id: "mbx", role }) as Mailbox;
  const message = (labels: string[]) =>
    ({ id: "msg", account_id: "acc", mailbox_id: "mbx", labels }) as unknown as Message;
  const inbox = { kind: "inboxes" } as const;
  expect(belongs(inbox, message([]), box("inbox"))).toBe(true);
  expect(belongs(inbox, message([]), box("all"))).toBe(false);
  expect(belongs(inbox, message(["\\Inbox"]), box("all"))).toBe(true);
  expect(belongs(inbox, message(["\\Inbox"]), box("trash"))).toBe(false);
  expect(belongs({ ...inbox, accountId: "other" }, message(["\\Inbox"]), box("all"))).toBe(false);
  const work = { kind: "label", accountId: "acc", label: "Work" } as const;
  expect(belongs(work, message(["Work"]), box("all"))).toBe(true);
  expect(belongs(work, message(["Home"]), box("all"))).toBe(false);
});
