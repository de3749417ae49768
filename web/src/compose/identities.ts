/** Whom somebody writes as: the identities of all their accounts. */

import { queryOptions, useQueries } from "@tanstack/react-query";
import { useMemo } from "react";

import { type Account, api, must } from "../api/client";
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

const together = (answers: { data: Identity[] | undefined }[]) => ({
  all: answers.flatMap((one) => one.data ?? []),
  known: answers.every((one) => one.data !== undefined),
});

/** All of them, and whether these are all. */
export function useIdentities(accounts: readonly Account[]): { all: Identity[]; known: boolean } {
  const queries = useMemo(() => accounts.map((one) => identitiesQuery(one.id)), [accounts]);
  return useQueries({ queries, combine: together });
}
