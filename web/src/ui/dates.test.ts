import { expect, test } from "vitest";

import { briefly, withMoments } from "./dates";

const NOW = new Date("2026-11-22T01:30:00Z");
const said = (at: string, timeZone: string) => briefly(new Date(at), NOW, "en-GB", timeZone);

test("what came today is said by its time, where the reader is", () => {
  expect(said("2026-11-22T00:15:00Z", "UTC")).toBe("0:15");
  expect(said("2026-11-21T23:30:00Z", "Europe/Berlin")).toBe("0:30");
  expect(said("2026-11-21T23:30:00Z", "UTC")).toBe("21 Nov");
});

test("what is of another year says so", () => {
  expect(said("2025-11-22T01:30:00Z", "UTC")).toBe("22/11/2025");
  expect(said("2025-12-31T23:30:00Z", "UTC")).toBe("31/12/2025");
});

test("moments in a text are said where the reader is, and a midnight as its day", () => {
  const since = (at: string) => withMoments(`received before ${at}`, "en-GB", "Europe/Berlin");
  expect(since("2025-11-22T19:20+00:00")).toBe("received before 22 Nov 2025, 20:20");
  expect(since("2026-03-02T00:00+01:00")).toBe("received before 2 Mar 2026");
  expect(withMoments("“2026-03-02” in subject", "en-GB")).toBe("“2026-03-02” in subject");
});
