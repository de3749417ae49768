import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";

import { known, localeOf, preferences, usePrefer } from "./preferences";

const Around = ({ children }: { children: ReactNode }) => (
  <QueryClientProvider client={new QueryClient()}>{children}</QueryClientProvider>
);

vi.hoisted(() => {
  const { Request: Real } = globalThis;
  globalThis.Request = class extends Real {
    constructor(path: string, init?: RequestInit) {
      super(new URL(path, "http://localhost"), init); // addresses are the page's own
    }
  } as typeof Request;
});

function answering(status: number, body: unknown): void {
  const headers = { "Content-Type": "application/json" };
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify(body), { status, headers })));
}

afterEach(() => vi.unstubAllGlobals());

test("what somebody likes is shown at once, and stays as the server keeps it", async () => {
  answering(200, { theme: "dark", density: "compact" });
  const { result } = renderHook(usePrefer, { wrapper: Around });
  act(() => result.current.mutate({ theme: "dark" }));
  await waitFor(() => expect(preferences.get().density).toBe("compact"));
  expect(document.documentElement.dataset.theme).toBe("dark");
});

test("what the server does not keep is taken back", async () => {
  const before = preferences.get();
  answering(422, { code: "validation_failed", status: 422, title: "No", detail: "No" });
  const { result } = renderHook(usePrefer, { wrapper: Around });
  act(() => result.current.mutate({ time_zone: "Mars/Olympus" }));
  await waitFor(() => expect(result.current.isError).toBe(true));
  expect(preferences.get()).toEqual(before);
});

test("another tab hears of it", () => {
  const newValue = JSON.stringify({ ...preferences.get(), density: "cosy" });
  window.dispatchEvent(new StorageEvent("storage", { key: "postbus.preferences", newValue }));
  expect(document.documentElement.dataset.density).toBe("cosy");
});

test("a time zone that this browser does not know is the browser's own", () => {
  expect(known("Europe/Berlin")).toBe("Europe/Berlin");
  expect(known("Mars/Olympus")).toBeUndefined();
});

test("dates and numbers are as the reader chose, and in the browser's way where it does not know that", () => {
  expect(localeOf("de-CH")).toBe("de-CH");
  expect([localeOf(null), localeOf("not a language"), localeOf("qaa-x-made-up")]).toEqual(
    Array(3).fill(navigator.language),
  );
});
