/** What a whole list is to the server, account by account. */

import type { Account, Mailbox } from "../api/client";
import type { Everything } from "./changes";
import { hasOwn, INBOX, type KnownLabel } from "./labels";
import type { Scope } from "./messages";

export function everythingIn(
  scope: Scope | null,
  mailboxes: readonly Mailbox[],
  accounts: readonly Account[],
  known: readonly KnownLabel[],
): Everything | null {
  if (!scope) return null;
  if (scope.kind === "search") {
    const { accountIds, query } = scope;
    const ids = accountIds?.length ? accountIds : accounts.map((one) => one.id);
    return { queries: ids.map((id) => ({ accountId: id, query: { account_id: id, q: query } })), count: null };
  }
  if (scope.kind === "label")
    return {
      queries: [{ accountId: scope.accountId, query: { account_id: scope.accountId, label: scope.label } }],
      count: null,
    };
  const shown = mailboxes.filter((one) =>
    scope.kind === "mailbox"
      ? one.id === scope.mailboxId
      : one.role === "inbox" && (!scope.accountId || one.account_id === scope.accountId),
  );
  const labelled = scope.kind === "mailbox" ? [] : accounts.filter(
    ({ id }) =>
      (!scope.accountId || id === scope.accountId) &&
      hasOwn(known, id) &&
      !shown.some((one) => one.account_id === id),
  );
  return {
    queries: [
      ...shown.map((one) => ({ accountId: one.account_id, query: { mailbox_id: one.id } })),
      ...labelled.map(({ id }) => ({ accountId: id, query: { account_id: id, label: INBOX } })),
    ],
    count: labelled.length ? null : shown.reduce((sum, one) => sum + one.message_count, 0),
  };
}
