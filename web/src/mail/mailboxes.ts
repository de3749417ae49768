/** Mailboxes in the order in which people look for them. */

import { queryOptions } from "@tanstack/react-query";

import { api, type Mailbox, type MailboxRole, must } from "../api/client";
import type { StringId } from "../strings/en";

export const mailboxesQuery = queryOptions({
  queryKey: ["mailboxes"],
  queryFn: async ({ signal }) => (await must(api.GET("/api/v1/mailboxes", { signal }))).items,
  staleTime: Infinity,
});

const ORDER: MailboxRole[] = ["inbox", "flagged", "drafts", "sent", "archive", "all", "junk", "trash"];

export const ROLE_NAMES: Partial<Record<MailboxRole, StringId>> = {
  inbox: "box.inbox",
  flagged: "box.flagged",
  drafts: "box.drafts",
  sent: "box.sent",
  archive: "box.archive",
  all: "box.all",
  junk: "box.junk",
  trash: "box.trash",
};

function place(mailbox: Mailbox): number {
  const at = mailbox.role ? ORDER.indexOf(mailbox.role) : -1;
  return at < 0 ? ORDER.length : at;
}

const byName = new Intl.Collator(undefined, { numeric: true });

/** Those with a role first, the others by their path. */
export function inOrder(mailboxes: readonly Mailbox[]): Mailbox[] {
  return [...mailboxes].sort(
    (a, b) => place(a) - place(b) || byName.compare(a.path, b.path),
  );
}

export const withRole = (
  mailboxes: readonly Mailbox[],
  accountId: string,
  role: MailboxRole,
): Mailbox | undefined =>
  mailboxes.find((one) => one.account_id === accountId && one.role === role);

/** How deep below others of its account a mailbox stands. */
export const depth = (mailbox: Mailbox): number =>
  mailbox.delimiter && !mailbox.role ? mailbox.path.split(mailbox.delimiter).length - 1 : 0;
