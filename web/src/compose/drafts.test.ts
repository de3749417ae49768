import { describe, expect, it } from "vitest";

import type { OpenMessage } from "../api/client";
import { begin } from "./drafts";

const phrases = {
  wrote: () => "Grace <wrote>:",
  own: new Set(["me@example.org"]),
};

const message = {
  id: "msg_1",
  account_id: "acc_1",
  subject: "Lunch",
  from: { name: "Grace", email: "grace@example.org" },
  to: [
    { name: "", email: "Me@example.org" },
    { name: "Bob", email: "bob@example.org" },
  ],
  cc: [{ name: "", email: "GRACE@example.org" }],
  reply_to: [],
  text: "Shall we?\n\n<b>Friday</b>",
} as unknown as OpenMessage;

describe("an answer", () => {
  it("goes to who wrote, and to all without oneself and without anybody twice", () => {
    const all = begin({ kind: "replyAll", to: message }, phrases);
    expect(all.to.map((one) => one.email)).toEqual(["grace@example.org"]);
    expect(all.cc.map((one) => one.email)).toEqual(["bob@example.org"]);
    expect(begin({ kind: "reply", to: message }, phrases).cc).toEqual([]);
  });

  it("goes where the message asks for", () => {
    const list = { ...message, reply_to: [{ name: "", email: "list@example.org" }] };
    expect(begin({ kind: "reply", to: list }, phrases).to[0]?.email).toBe("list@example.org");
  });

  it("to one's own message goes to whom it was sent", () => {
    const own = { ...message, from: { name: "", email: "me@example.org" } };
    expect(begin({ kind: "reply", to: own }, phrases).to).toEqual(own.to);
  });

  it("says Re: once and quotes words, not markup", () => {
    const again = begin({ kind: "reply", to: { ...message, subject: "RE: Lunch" } }, phrases);
    expect(again.subject).toBe("RE: Lunch");
    expect(begin({ kind: "reply", to: message }, phrases).subject).toBe("Re: Lunch");
    expect(again.html).toContain("&lt;b&gt;Friday&lt;/b&gt;");
    expect(again.html).not.toContain("<b>");
  });
});
