/** How somebody likes it, in each of their browsers: the server keeps it, and this page shows it. */

import { queryOptions, useMutation } from "@tanstack/react-query";

import { api, must, type Schemas } from "../api/client";
import { create } from "../ui/store";

export type Preferences = Required<Schemas["Settings"]>;

const KEY = "postbus.preferences"; // what was liked last, for the first moment of a page
const AT_FIRST: Preferences = {
  time_zone: null,
  language: null,
  density: "comfortable",
  theme: "system",
  signature: "",
  signature_html: "",
  page_size: 50,
  mark_read_seconds: 0,
  conversations: true,
  notifications: false,
  notification_sound: false,
  reply_to_all: false,
  plain_text: false,
};

export const preferences = create<Preferences>(read(localStorage.getItem(KEY)));

// Another page of this browser heard of a change.
window.addEventListener("storage", ({ key, newValue }) => {
  if (key === KEY) show(read(newValue));
});
show(preferences.get());

/** What the server keeps; looked at again whenever somebody comes back to the page. */
export const preferencesQuery = queryOptions({
  queryKey: ["preferences"],
  queryFn: async ({ signal }) => keep(await must(api.GET("/api/v1/me/settings", { signal }))),
  staleTime: 60_000,
  refetchOnWindowFocus: true,
});

/** Change how one likes it: shown at once, and taken back where the server does not keep it. */
export function usePrefer() {
  return useMutation({
    mutationFn: async (change: Partial<Preferences>) =>
      keep(await must(api.PATCH("/api/v1/me/settings", { body: change }))),
    onMutate: (change) => {
      const before = preferences.get();
      show({ ...before, ...change });
      return before;
    },
    onError: (_error, _change, before) => {
      if (before) show(before);
    },
  });
}

/** Where the reader is: as they chose, else as the browser says. */
export const timeZone = (): string =>
  known(preferences.get().time_zone) ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A time zone, where this browser knows it. */
export function known(zone: string | null): string | undefined {
  if (zone === null) return undefined;
  try {
    return Intl.DateTimeFormat(undefined, { timeZone: zone }).resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The language of dates and numbers: as the reader chose, else the browser's. */
export function localeOf(language: string | null): string {
  if (language === null) return navigator.language;
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(language)[0] ?? navigator.language;
  } catch (error) {
    if (error instanceof RangeError) return navigator.language;
    throw error;
  }
}

/** Whoever comes next to this browser begins anew. */
export function forgetPreferences(): void {
  localStorage.removeItem(KEY);
}

function read(kept: string | null): Preferences {
  try {
    return { ...AT_FIRST, ...(JSON.parse(kept ?? "{}") as Partial<Preferences>) };
  } catch (error) {
    if (error instanceof SyntaxError) return AT_FIRST;
    throw error;
  }
}

function keep(told: Schemas["Settings"]): Preferences {
  const now = { ...AT_FIRST, ...told };
  localStorage.setItem(KEY, JSON.stringify(now));
  show(now);
  return now;
}

function show(now: Preferences): void {
  preferences.set(now);
  const root = document.documentElement;
  if (now.theme === "system") delete root.dataset.theme;
  else root.dataset.theme = now.theme;
  root.dataset.density = now.density;
}
