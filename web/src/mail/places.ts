/** Where mail is, as people see it: mailboxes, and the labels of a server that has them instead. */

import type { Account, Mailbox, MailboxRole } from "../api/client";
import type { SavedSearch } from "../search/searches";
import type { Say } from "../strings/use";
import { hasOwn, INBOX, isForPeople, type KnownLabel } from "./labels";
import { depth, inOrder, ROLE_NAMES } from "./mailboxes";
import type { Scope } from "./messages";

/** Something to look into, in the tree beside a list. */
export interface Place {
  scopeName: string;
  name: string;
  role: MailboxRole | null;
  unread: number;
  deep: number;
  mailbox?: Mailbox;
  label?: string;
}

const ROLES_OF_LABELS: Partial<Record<string, MailboxRole>> = {
  [INBOX]: "inbox",
  "\\Starred": "flagged",
  "\\Draft": "drafts",
  "\\Sent": "sent",
};
const SEPARATOR = ":"; // between an account and its label; no id has one

export const scopeOfLabel = (accountId: string, label: string): string => `${accountId}${SEPARATOR}${label}`;

/** The places of an account in the order in which people look for them. */
export function placesOf(
  accountId: string,
  mailboxes: readonly Mailbox[],
  known: readonly KnownLabel[],
  say: Say,
): Place[] {
  const here = inOrder(mailboxes.filter((one) => one.account_id === accountId));
  const ofMailboxes = here.map((one): Place => {
    const named = one.role && ROLE_NAMES[one.role];
    return {
      scopeName: one.id,
      name: named ? say(named) : one.name,
      role: one.role,
      unread: one.unread_count,
      deep: depth(one),
      mailbox: one,
    };
  });
  if (!hasOwn(known, accountId)) return ofMailboxes;
  const labels = known.filter((one) => one.account_id === accountId && one.kind === "label");
  const ofServer = Object.entries(ROLES_OF_LABELS).flatMap(([label, role]): Place[] => {
    const named = role && ROLE_NAMES[role];
    const found = labels.find((one) => one.name === label);
    if (!role || !named || here.some((one) => one.role === role) || !(found || role === "inbox")) return [];
    return [
      {
        scopeName: scopeOfLabel(accountId, label),
        name: say(named),
        role,
        unread: found?.unread_count ?? 0,
        deep: 0,
        label,
      },
    ];
  });
  const ofPeople = labels.filter(isForPeople).map((one): Place => ({
    scopeName: scopeOfLabel(accountId, one.name),
    name: one.name,
    role: null,
    unread: 0,
    deep: 0,
    label: one.name,
  }));
  return [...ofServer, ...ofMailboxes, ...ofPeople];
}

/** How much in the inboxes of all accounts nobody has read. */
export const unreadInInboxes = (places: readonly Place[]): number =>
  places.reduce((sum, one) => sum + (one.role === "inbox" ? one.unread : 0), 0);

/** What the name of a list in an address is of; a saved search that is not known yet is null. */
export function scopeOf(
  scopeName: string,
  query: string | undefined,
  saved: SavedSearch | undefined,
): Scope | null {
  if (query) return { kind: "search", query };
  if (scopeName === "inbox") return { kind: "inboxes" };
  if (saved)
    return {
      kind: "search",
      query: saved.q,
      accountIds: saved.account_ids,
      order: saved.order === "relevance" ? "relevance" : "newest",
    };
  const at = scopeName.indexOf(SEPARATOR);
  if (at < 0) return { kind: "mailbox", mailboxId: scopeName };
  const accountId = scopeName.slice(0, at);
  const label = scopeName.slice(at + 1);
  return label === INBOX ? { kind: "inboxes", accountId } : { kind: "label", accountId, label };
}

/** The role of what is shown, and what it is called. */
export function nameOf(
  scopeName: string,
  accounts: readonly Account[],
  mailboxes: readonly Mailbox[],
  saved: SavedSearch | undefined,
  say: Say,
): { role: MailboxRole | null; name: string } {
  if (scopeName === "inbox")
    return { role: "inbox", name: say(accounts.length > 1 ? "box.allInboxes" : "box.inbox") };
  const label = scopeName.slice(scopeName.indexOf(SEPARATOR) + 1);
  const mailbox = mailboxes.find((one) => one.id === scopeName);
  const role = mailbox?.role ?? ROLES_OF_LABELS[label] ?? null;
  const named = role && ROLE_NAMES[role];
  const own = label === scopeName ? mailbox?.name : label;
  return { role, name: named ? say(named) : (saved?.name ?? own ?? "") };
}
