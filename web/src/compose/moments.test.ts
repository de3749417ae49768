import { describe, expect, it } from "vitest";

import { localTime, moments } from "./moments";

const said = (now: Date) => moments(now).map(localTime);

describe("moments to send something later", () => {
  it("are to come, and none is offered twice", () => {
    expect(said(new Date(2026, 10, 22, 9, 30))).toEqual([
      "2026-11-22T13:00",
      "2026-11-23T08:00",
      "2026-11-23T13:00",
    ]);
    expect(said(new Date(2026, 10, 25, 18, 0))).toEqual([
      "2026-11-26T08:00",
      "2026-11-26T13:00",
      "2026-11-30T08:00",
    ]);
  });
});
