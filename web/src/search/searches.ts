/** What helps to search: what was understood, what was looked for before, what is kept. */

import { type QueryClient, queryOptions } from "@tanstack/react-query";

import { api, must, type Schemas } from "../api/client";
import { timeZone } from "../session/preferences";

export type SavedSearch = Schemas["SavedSearch"];
export type Term = Schemas["UnderstoodTerm"];

export const understoodQuery = (q: string) =>
  queryOptions({
    queryKey: ["understood", q] as const,
    queryFn: async ({ signal }) =>
      (
        await must(
          api.GET("/api/v1/search/explain", { params: { query: { q, time_zone: timeZone() } }, signal }),
        )
      ).terms,
    staleTime: 60_000,
  });

export const savedQuery = queryOptions({
  queryKey: ["saved-searches"] as const,
  queryFn: async ({ signal }) => (await must(api.GET("/api/v1/saved-searches", { signal }))).items,
  staleTime: Infinity,
});

export const recentQuery = queryOptions({
  queryKey: ["recent-searches"] as const,
  queryFn: async ({ signal }) =>
    (await must(api.GET("/api/v1/search/recent", { signal }))).items.map((one) => one.q),
  staleTime: 60_000,
});

export const peopleQuery = (prefix: string) =>
  queryOptions({
    queryKey: ["people", prefix] as const,
    queryFn: async ({ signal }) =>
      (
        await must(
          api.GET("/api/v1/suggestions/people", { params: { query: { prefix, limit: 6 } }, signal }),
        )
      ).items,
    staleTime: 60_000,
  });

/** Somebody meant this search: it is offered again. */
export async function remember(queries: QueryClient, q: string): Promise<void> {
  await must(
    api.GET("/api/v1/search", {
      params: { query: { q, limit: 1, remember: true, time_zone: timeZone() } },
    }),
  );
  await queries.invalidateQueries({ queryKey: recentQuery.queryKey });
}

export async function forgetRecent(queries: QueryClient): Promise<void> {
  await must(api.DELETE("/api/v1/search/recent"));
  await queries.invalidateQueries({ queryKey: recentQuery.queryKey });
}
