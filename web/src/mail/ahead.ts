/** What a page of mail shows is asked for while the page itself is still being made. */

import type { QueryClient } from "@tanstack/react-query";

import { accountsQuery } from "../session/session";
import { mailboxesQuery } from "./mailboxes";
import { listQuery, type Scope } from "./messages";

const LIST = /^\/mail\/(inbox|mbx_\w+)/;

export function askAhead(queries: QueryClient, { pathname, search }: Location): void {
  const scopeName = pathname === "/" ? "inbox" : LIST.exec(pathname)?.[1];
  if (!scopeName || search) return; // what is searched for is read from the address later
  const scope: Scope =
    scopeName === "inbox" ? { kind: "inboxes" } : { kind: "mailbox", mailboxId: scopeName };
  const asked = [
    queries.query(accountsQuery),
    queries.query(mailboxesQuery),
    queries.infiniteQuery(listQuery(scope)),
  ];
  void Promise.allSettled(asked); // what went wrong is said by the page, which asks for the same
}
