/** Who is signed in. What proves it is in a cookie that no script can read. */

import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, must } from "../api/client";
import { isSignedOut } from "../api/problem";
import { leave } from "../compose/drafts";
import { forgetSent } from "../compose/sent";
import { forgetPreferences } from "./preferences";

/** The accounts of whoever is signed in; null when nobody is. */
export const accountsQuery = queryOptions({
  queryKey: ["accounts"],
  queryFn: async ({ signal }) => {
    try {
      return (await must(api.GET("/api/v1/accounts", { signal }))).items;
    } catch (error) {
      if (isSignedOut(error)) return null;
      throw error;
    }
  },
  staleTime: Infinity, // the event log tells of what changes
});

/** Who that is, and what they may do here. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }) => must(api.GET("/api/v1/me", { signal })),
  staleTime: 60_000,
});

export interface Credentials {
  email: string;
  password: string;
}

/** Tokens that were given along the way: here the cookie is enough, and nobody is to have them. */
export async function endTokens({ access_token }: { access_token: string }): Promise<void> {
  await must(
    api.POST("/api/v1/auth/logout", { headers: { Authorization: `Bearer ${access_token}` } }),
  );
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (given: Credentials) => must(api.POST("/api/v1/auth/session", { body: given })),
    onSuccess: () => queries.resetQueries(),
  });
}

export function useSignUp() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (given: Credentials & { name: string }) => {
      await endTokens(await must(api.POST("/api/v1/auth/register", { body: given })));
      const { email, password } = given;
      return must(api.POST("/api/v1/auth/session", { body: { email, password } }));
    },
    onSuccess: () => queries.resetQueries(),
  });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async () => must(api.POST("/api/v1/auth/logout")),
    onSuccess: () => {
      leave();
      forgetSent();
      forgetPreferences();
      queries.clear();
      window.location.assign("/sign-in");
    },
  });
}
