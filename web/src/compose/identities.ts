/** Whom somebody writes as: the identities of all their accounts. */

import { queryOptions, useQueries } from "@tanstack/react-query";
import { useMemo } from "react";

import { type Account, api, must } from "../api/client";
import type { Preferences } from "../session/preferences";
import type { Identity } from "./draft";

export const identitiesQuery = (accountId: string) =>
  queryOptions({
    queryKey: ["identities", accountId] as const,
    queryFn: async ({ signal }) =>
      (
        await must(
          api.GET("/api/v1/accounts/{account_id}/identities", {
            params: { path: { account_id: accountId } },
            signal,
          }),
        )
      ).items,
    staleTime: 300_000,
  });

const together = (answers: { data: Identity[] | undefined; isPending: boolean }[]) => ({
  all: answers.flatMap((one) => one.data ?? []),
  known: answers.every((one) => one.data !== undefined),
  pending: answers.some((one) => one.isPending),
});

/** Who has no signature of their own ends with the one that is for all. */
export function signedBy(
  identity: Identity,
  { signature, signature_html }: Pick<Preferences, "signature" | "signature_html">,
): Identity {
  if (identity.signature_text || identity.signature_html) return identity;
  return { ...identity, signature_text: signature, signature_html };
}

/** All of them, whether these are all, and whether more may come by themselves. */
export function useIdentities(accounts: readonly Account[]): {
  all: Identity[];
  known: boolean;
  pending: boolean;
} {
  const queries = useMemo(() => accounts.map((one) => identitiesQuery(one.id)), [accounts]);
  return useQueries({ queries, combine: together });
}
