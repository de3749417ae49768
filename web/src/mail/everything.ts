/** What a whole list is to the server, account by account. */

import type { Account, Mailbox } from "../api/client";
import type { Everything } from "./changes";
import type { Scope } from "./messages";

export function everythingIn(
  scope: Scope | null,
  mailboxes: readonly Mailbox[],
  accounts: readonly Account[],
): Everything | null {
  if (!scope) return null;
  if (scope.kind === "search") {
    const { accountIds, query } = scope;
    const ids = accountIds?.length ? accountIds : accounts.map((one) => one.id);
    return { queries: ids.map((id) => ({ accountId: id, query: { account_id: id, q: query } })), count: null };
  }
  const shown = mailboxes.filter((one) =>
    scope.kind === "inboxes" ? one.role === "inbox" : one.id === scope.mailboxId,
  );
  return {
    queries: shown.map((one) => ({ accountId: one.account_id, query: { mailbox_id: one.id } })),
    count: shown.reduce((sum, one) => sum + one.message_count, 0),
  };
}
