/** A message as far as it is written: how it begins, and how the server has it. */

import type { Account, OpenMessage, Person, Schemas } from "../api/client";
import { paragraphs, parsed, quotedText, textOf, withSignature } from "./words";

export type Identity = Schemas["ShownIdentity"];
export type ServerDraft = Schemas["ShownDraft"];

export interface Attached {
  id: string; // of the upload
  name: string;
  size: number | null;
  contentId: string | null; // by which the words show it
}

/** What is answered or passed on, as it stands below: the server puts it there. */
export type Quoted = { made: false } | { made: true; html: string };

/** That somebody pressed Send. However often it is asked for with this key, it is sent once. */
export interface Wish {
  key: string;
  sendAt: string | null;
}

export interface Draft {
  key: string;
  begunAs: string; // the key under which the server is asked for it
  server: { id: string; version: number } | null; // as the server took it last
  accountId: string;
  identityId: string | null; // null: the account's default
  to: Person[];
  cc: Person[];
  bcc: Person[];
  subject: string;
  plain: boolean;
  html: string; // one's own words
  text: string; // the same without anything but letters; where plain, all there is
  quoted: Quoted | null;
  attachments: Attached[];
  answers: { id: string; kind: "reply" | "forward" } | null;
  list: Person | null; // the mailing list through which came what is answered
  changed: number; // how often it was changed,
  saved: number; // and at which of these the server took it
  wish: Wish | null;
  minimised: boolean;
}

export type Wanted =
  | { kind: "new"; to?: Person[]; subject?: string; text?: string }
  | { kind: "reply" | "replyAll" | "replyList"; to: OpenMessage }
  | { kind: "forward"; of: OpenMessage };

/** Who writes, on this page. */
export interface Writer {
  accounts: readonly Account[];
  identities: readonly Identity[];
  plain: boolean;
  toAll: boolean; // whether an answer goes to everybody unless one says otherwise
}

export const isSaved = (draft: Draft): boolean => draft.saved === draft.changed;

/** Whether anything is in it that somebody would miss. */
export const isEmpty = (draft: Draft): boolean => draft.changed === 0 && draft.server === null;

/** Who one is where one writes as this; where nothing is known of it, the account's default. */
export function identityOf(
  { accountId, identityId }: Pick<Draft, "accountId" | "identityId">,
  identities: readonly Identity[],
): Identity | undefined {
  const ours = identities.filter((one) => one.account_id === accountId);
  return ours.find((one) => one.id === identityId) ?? ours.find((one) => one.is_default) ?? ours[0];
}

export function begin(wanted: Wanted, writer: Writer): Draft {
  const own = new Set([
    ...writer.accounts.map((one) => one.email.toLowerCase()),
    ...writer.identities.map((one) => one.email.toLowerCase()),
  ]);
  const draft = addressed(wanted, own, {
    ...EMPTY,
    ...named(),
    accountId: writer.accounts[0]?.id ?? "",
    plain: writer.plain,
  });
  const message = wanted.kind === "new" ? null : wanted.kind === "forward" ? wanted.of : wanted.to;
  const written = new Set(
    [...(message?.to ?? []), ...(message?.cc ?? [])].map((one) => one.email.toLowerCase()),
  );
  const ours = writer.identities.filter((one) => one.account_id === draft.accountId);
  // Who was written to answers.
  const identity =
    ours.find((one) => written.has(one.email.toLowerCase())) ?? identityOf(draft, writer.identities);
  return as(draft, identity);
}

/** A name of its own, on this page and for the server. */
function named(): Pick<Draft, "key" | "begunAs"> {
  return { key: crypto.randomUUID(), begunAs: crypto.randomUUID() };
}

const EMPTY: Omit<Draft, "key" | "begunAs" | "accountId" | "plain"> = {
  server: null,
  identityId: null,
  to: [],
  cc: [],
  bcc: [],
  subject: "",
  html: "",
  text: "",
  quoted: null,
  attachments: [],
  answers: null,
  list: null,
  changed: 0,
  saved: 0,
  wish: null,
  minimised: false,
};

function addressed(wanted: Wanted, own: ReadonlySet<string>, empty: Draft): Draft {
  if (wanted.kind === "new") {
    const text = wanted.text ?? "";
    const { to = [], subject = "" } = wanted;
    return { ...empty, to, subject, text, html: text && paragraphs(text) };
  }
  if (wanted.kind === "forward") {
    const { of } = wanted;
    return {
      ...empty,
      accountId: of.account_id,
      subject: prefixed("Fwd", of.subject),
      answers: { id: of.id, kind: "forward" },
      quoted: { made: false },
    };
  }
  const { to: message } = wanted;
  const isOwn = (person: Person) => own.has(person.email.toLowerCase());
  const list = listOf(message);
  const sender = message.from ? [message.from] : [];
  // An answer to what one wrote goes to whom one wrote it.
  const answered =
    wanted.kind === "replyList" && list
      ? [list]
      : message.from && isOwn(message.from)
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
    answers: { id: message.id, kind: "reply" },
    quoted: { made: false },
    list,
  };
}

/** Where everybody on the list of a message is written to (RFC 2369 §3.4). */
export function listOf(message: Pick<OpenMessage, "mailing_list">): Person | null {
  const list = message.mailing_list;
  const post = list?.post?.find((one) => one.toLowerCase().startsWith("mailto:"));
  if (!post) return null;
  const email = decodeURIComponent(post.slice("mailto:".length).split("?")[0] ?? "");
  return email.includes("@") ? { name: list?.name ?? "", email } : null;
}

/** Written as this from now on, with the signature that belongs to it. */
export function as(draft: Draft, identity: Identity | undefined): Draft {
  if (!identity) return draft;
  const { signature_html, signature_text } = identity;
  const html = signature_html || (signature_text && paragraphs(signature_text));
  return {
    ...draft,
    identityId: identity.id,
    html: withSignature(draft.html, html),
    text: draft.plain ? signed(draft.text, signature_text || textOf(html)) : draft.text,
  };
}

const MARK = "\n\n-- \n"; // RFC 3676 §4.3

function signed(text: string, signature: string): string {
  const at = text.lastIndexOf(MARK);
  const own = at < 0 ? text : text.slice(0, at);
  return signature ? `${own}${MARK}${signature.trimEnd()}\n` : own;
}

/** The same words without letters' looks, or with them again. */
export function inPlain(draft: Draft, plain: boolean): Draft {
  if (plain === draft.plain) return draft;
  if (!plain) return { ...draft, plain, html: paragraphs(draft.text) };
  const below = draft.quoted?.made ? quotedText(draft.quoted.html) : "";
  return {
    ...draft,
    plain,
    text: [textOf(draft.html), below].filter(Boolean).join("\n\n"),
    quoted: draft.quoted?.made ? null : draft.quoted,
  };
}

const QUOTED = "postbus_quote";

/** How the server is told of it. */
export function bodyOf(draft: Draft): Schemas["ChangedDraft"] {
  const { identityId, to, cc, bcc, subject, plain, html, text, quoted, answers } = draft;
  const below = quoted?.made ? `<div class="${QUOTED}">${quoted.html}</div>` : "";
  const shown = (one: Attached) => one.contentId !== null && (html + below).includes(`cid:${one.contentId}`);
  return {
    identity_id: identityId,
    to,
    cc,
    bcc,
    subject,
    text: plain ? text : null,
    html: plain ? null : html + below,
    attachments: draft.attachments
      // What was taken out of the words again does not go with them.
      .filter((one) => plain || one.contentId === null || shown(one))
      .map((one) =>
        plain || one.contentId === null
          ? { upload_id: one.id, inline: false }
          : { upload_id: one.id, content_id: one.contentId, inline: true },
      ),
    in_reply_to: answers?.kind === "reply" ? answers.id : null,
    forward_of: answers?.kind === "forward" ? answers.id : null,
  };
}

/** What the server has, to be written on here. */
export function fromServer(kept: ServerDraft, attachments: Attached[], before?: Draft): Draft {
  const answers = kept.in_reply_to
    ? { id: kept.in_reply_to, kind: "reply" as const }
    : kept.forward_of
      ? { id: kept.forward_of, kind: "forward" as const }
      : null;
  const { own, below } = parted(kept.html ?? "");
  return {
    ...EMPTY,
    ...named(),
    ...(before && { key: before.key, list: before.list }),
    server: { id: kept.id, version: kept.version },
    accountId: kept.account_id,
    identityId: kept.identity_id,
    to: [...kept.to, ...kept.to_groups.flatMap((one) => one.members)],
    cc: [...kept.cc, ...kept.cc_groups.flatMap((one) => one.members)],
    bcc: kept.bcc,
    subject: kept.subject,
    plain: kept.html === null,
    html: own,
    text: kept.text ?? textOf(own),
    quoted: below ? { made: true, html: below } : null,
    attachments,
    answers,
  };
}

/** One's own words, and what is quoted below them. */
function parted(html: string): { own: string; below: string } {
  const page = parsed(html);
  const quote = [...page.body.children].findLast((one) => one.className === QUOTED);
  const below = quote?.innerHTML ?? "";
  quote?.remove();
  return { own: page.body.innerHTML, below };
}

/** Whether the server has what is written here, whatever number it has given it. */
export function agrees(kept: ServerDraft, draft: Draft): boolean {
  const body = bodyOf(draft);
  const said = (people: readonly Person[]) => people.map((one) => `${one.name}<${one.email}>`).join();
  return (
    kept.subject === body.subject &&
    (kept.text ?? null) === (body.text ?? null) &&
    (kept.html ?? null) === (body.html ?? null) &&
    said(kept.to) === said(draft.to) &&
    said(kept.cc) === said(draft.cc) &&
    said(kept.bcc) === said(draft.bcc) &&
    (draft.identityId === null || kept.identity_id === draft.identityId) &&
    kept.attachments.map((one) => one.upload_id).join() ===
      (body.attachments ?? []).map((one) => one.upload_id).join()
  );
}

/** The same words, as a message of their own that the server does not know yet. */
export const anew = (draft: Draft): Draft => ({
  ...draft,
  ...named(),
  server: null,
  changed: 1,
  saved: 0,
  wish: null,
  minimised: false,
});

/** Everything it says, for who compares. */
export const wordsOf = (draft: Draft): string =>
  draft.plain ? draft.text : textOf(draft.html);

/** Words by which people say that something is attached. */
const ATTACHED =
  /\b(attach(ed|ment|ments|ing)?|enclosed|anbei|angehängt|anhang|anhänge|ci-joint|pièces? jointes?|adjunt[oa]s?|bijlagen?|allegat[oi])\b/iu;

/** Whether it speaks of files and there are none. */
export function lacksFiles(draft: Draft): boolean {
  if (draft.attachments.some((one) => one.contentId === null)) return false;
  const own = draft.plain
    ? (draft.text.split(MARK)[0] ?? "").replaceAll(/^>.*$/gm, "")
    : textOf(withSignature(draft.html, ""));
  return ATTACHED.test(`${draft.subject.replace(/^\s*(re|fwd?)\s*:.*/i, "")}\n${own}`);
}

const same = (a: Person, b: Person) => a.email.toLowerCase() === b.email.toLowerCase();

const unique = (people: readonly Person[]) =>
  people.filter((one, at) => people.findIndex((other) => same(one, other)) === at);

/** RFC 5322 §3.6.5: once, however often it is answered. */
const prefixed = (prefix: string, subject: string) =>
  new RegExp(`^${prefix}\\s*:`, "i").test(subject) ? subject : `${prefix}: ${subject}`;

