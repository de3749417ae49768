import { describe, expect, it } from "vitest";

import type { Account, OpenMessage } from "../api/client";
import {
  agrees,
  anew,
  as,
  begin,
  bodyOf,
  type Draft,
  fromServer,
  type Identity,
  inPlain,
  lacksFiles,
  type ServerDraft,
  type Writer,
} from "./draft";

const identity = (id: string, email: string, more: Partial<Identity> = {}): Identity => ({
  id,
  account_id: "acc_1",
  name: "Ada",
  email,
  reply_to: [],
  signature_text: "",
  signature_html: "",
  is_default: false,
  is_own: false,
  ...more,
});

const writer: Writer = {
  accounts: [{ id: "acc_1", email: "me@example.org" } as Account],
  identities: [
    identity("idn_1", "me@example.org", { is_default: true, signature_text: "Ada L." }),
    identity("idn_2", "sales@example.org", { signature_html: "<p><b>Sales</b></p>" }),
  ],
  plain: false,
  toAll: false,
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
  mailing_list: null,
} as unknown as OpenMessage;

const listed = {
  ...message,
  mailing_list: { name: "Rails", post: ["https://example.org", "mailto:rails%40lists.example.org?a=b"] },
} as unknown as OpenMessage;

describe("an answer", () => {
  it("goes to who wrote, and to all without oneself and without anybody twice", () => {
    const all = begin({ kind: "replyAll", to: message }, writer);
    expect(all.to.map((one) => one.email)).toEqual(["grace@example.org"]);
    expect(all.cc.map((one) => one.email)).toEqual(["bob@example.org"]);
    expect(begin({ kind: "reply", to: message }, writer).cc).toEqual([]);
  });

  it("goes where the message asks for", () => {
    const list = { ...message, reply_to: [{ name: "", email: "list@example.org" }] };
    expect(begin({ kind: "reply", to: list }, writer).to[0]?.email).toBe("list@example.org");
  });

  it("to one's own message goes to whom it was sent", () => {
    const own = { ...message, from: { name: "", email: "me@example.org" } };
    expect(begin({ kind: "reply", to: own }, writer).to).toEqual(own.to);
  });

  it("says Re: once", () => {
    const again = begin({ kind: "reply", to: { ...message, subject: "RE: Lunch" } }, writer);
    expect(again.subject).toBe("RE: Lunch");
    expect(begin({ kind: "reply", to: message }, writer).subject).toBe("Re: Lunch");
  });

  it("goes to a list where one wants it, and knows the list where one does not", () => {
    expect(begin({ kind: "replyList", to: listed }, writer).to).toEqual([
      { name: "Rails", email: "rails@lists.example.org" },
    ]);
    expect(begin({ kind: "reply", to: listed }, writer).list?.email).toBe("rails@lists.example.org");
  });

  it("is written as who was written to", () => {
    const sales = { ...message, to: [{ name: "", email: "Sales@example.org" }] };
    const draft = begin({ kind: "reply", to: sales }, writer);
    expect(draft.identityId).toBe("idn_2");
    expect(draft.html).toContain("<b>Sales</b>");
  });
});

describe("a signature", () => {
  const draft = begin({ kind: "new" }, writer);

  it("changes with who one writes as, and the words stay", () => {
    const written = { ...draft, html: draft.html.replace("<p></p>", "<p>Hello</p>") };
    const other = as(written, writer.identities[1]);
    expect(other.html).toContain("<p>Hello</p>");
    expect(other.html).toContain("<b>Sales</b>");
    expect(other.html).not.toContain("Ada L.");
  });

  it("stands behind the mark that readers know in a plain message", () => {
    const plain = begin({ kind: "new" }, { ...writer, plain: true });
    expect(plain.text).toBe("\n\n-- \nAda L.\n");
    expect(as({ ...plain, text: `Hello${plain.text}` }, writer.identities[1]).text).toBe(
      "Hello\n\n-- \nSales\n",
    );
  });
});

describe("what the server gets", () => {
  const draft: Draft = {
    ...begin({ kind: "reply", to: message }, writer),
    html: '<p>Yes</p><img src="cid:upl_1">',
    quoted: { made: true, html: "<blockquote>Lunch?</blockquote>" },
    attachments: [
      { id: "upl_1", name: "a.png", size: 1, contentId: "upl_1" },
      { id: "upl_2", name: "b.png", size: 1, contentId: "upl_2" },
      { id: "upl_3", name: "c.pdf", size: 1, contentId: null },
    ],
  };

  it("has the quotation below, and of pictures those that are shown", () => {
    const body = bodyOf(draft);
    expect(body.html).toContain("Yes");
    expect(body.html).toContain("<blockquote>Lunch?</blockquote></div>");
    expect(body.attachments?.map((one) => one.upload_id)).toEqual(["upl_1", "upl_3"]);
    expect(body.in_reply_to).toBe("msg_1");
  });

  const kept = {
    id: "drf_1",
    version: 7,
    account_id: "acc_1",
    identity_id: "idn_1",
    from: null,
    to: draft.to,
    cc: [],
    bcc: [],
    to_groups: [{ group: "Crew", members: [{ name: "", email: "crew@example.org" }] }],
    cc_groups: [],
    subject: "Re: Lunch",
    text: null,
    html: bodyOf(draft).html,
    attachments: [],
    in_reply_to: "msg_1",
    forward_of: null,
  } as unknown as ServerDraft;

  it("comes back as one's own words and what is quoted, with everybody who gets it", () => {
    const back = fromServer(kept, []);
    expect(back.html).toBe('<p>Yes</p><img src="cid:upl_1">');
    expect(back.quoted).toEqual(draft.quoted);
    expect(back.to.map((one) => one.email)).toEqual(["grace@example.org", "crew@example.org"]);
    expect(back.server).toEqual({ id: "drf_1", version: 7 });
  });

  it("is known again when the answer to it got lost", () => {
    const same = fromServer({ ...kept, to_groups: [] }, []);
    const saved = { ...kept, html: bodyOf(same).html ?? null, to_groups: [] };
    expect(agrees(saved, same)).toBe(true);
    expect(agrees(saved, { ...same, subject: "Supper" })).toBe(false);
  });

  it("is a message of its own once it was taken back", () => {
    const again = anew({ ...draft, server: { id: "drf_1", version: 3 } });
    expect(again.server).toBeNull();
    expect(again.begunAs).not.toBe(draft.begunAs);
    expect(again.attachments).toEqual(draft.attachments);
  });
});

describe("a message without looks", () => {
  it("has the same words, and what is quoted as lines", () => {
    const rich: Draft = {
      ...begin({ kind: "new" }, { ...writer, identities: [] }),
      html: "<p>Hello<br>you</p><ul><li>one</li></ul>",
      quoted: { made: true, html: "<p>On Friday:</p><blockquote><p>Lunch?</p></blockquote>" },
    };
    const plain = inPlain(rich, true);
    expect(plain.text).toContain("Hello\nyou");
    expect(plain.text).toContain("> Lunch?");
    expect(bodyOf(plain)).toMatchObject({ html: null, text: plain.text });
    expect(inPlain(plain, false).html).toContain("Hello<br>you");
  });
});

describe("a message that speaks of files", () => {
  const says = (html: string, more: Partial<Draft> = {}): Draft => ({
    ...begin({ kind: "new" }, writer),
    html,
    ...more,
  });

  it("lacks them unless some are attached; what is quoted says nothing", () => {
    expect(lacksFiles(says("<p>See the attached plan.</p>"))).toBe(true);
    expect(lacksFiles(says("<p>Siehe Anhang</p>"))).toBe(true);
    expect(lacksFiles(says("<p>Hello</p>"))).toBe(false);
    const file = { id: "upl_1", name: "plan.pdf", size: 1, contentId: null };
    expect(lacksFiles(says("<p>See attached.</p>", { attachments: [file] }))).toBe(false);
    expect(lacksFiles(says("", { plain: true, text: "Fine.\n\n> it is attached\n" }))).toBe(false);
  });
});
