import { describe, expect, it } from "vitest";

import { type Candidate, type Discovery, firstSteps, isSure, isWhole, takesNoPassword, toConfirm } from "./discovery";

const candidate = (more: Partial<Candidate> = {}): Candidate => ({
  server: { host: "imap.example.org", port: 993, security: "tls", username: "ada@example.org" },
  source: "srv",
  also: [],
  confidence: "high",
  answered: true,
  to_confirm: false,
  provider: null,
  sign_in: ["password"],
  oauth2: null,
  first: [],
  ...more,
});

const found = (imap: Candidate[], more: Partial<Discovery> = {}): Discovery => ({
  email: "ada@example.org",
  provider: null,
  warning: null,
  imap,
  smtp: imap,
  asked: [],
  ...more,
});

const step = (text: string, only_for: "oauth2" | "app_password" | null = null) => ({
  kind: "app_password" as const,
  text,
  link: null,
  only_for,
});

describe("discovery", () => {
  it("asks for whole addresses only", () => {
    expect(isWhole("ada@example.org")).toBe(true);
    for (const part of ["", "ada", "ada@", "ada@example", "ada@example.", "a b@example.org"])
      expect(isWhole(part)).toBe(false);
  });

  it("is sure only where both servers are, and nobody has to look at them", () => {
    expect(isSure(found([candidate()]))).toBe(true);
    expect(isSure(found([candidate({ to_confirm: true })]))).toBe(false);
    expect(isSure(found([candidate({ confidence: "medium" })]))).toBe(false);
    expect(isSure(found([]))).toBe(false);
    expect(isSure(undefined)).toBe(false);
  });

  it("says what to do first for a password, of servers or else of the provider", () => {
    const first = [step("Make one.", "app_password"), step("Consent.", "oauth2"), step("Allow IMAP.")];
    expect(firstSteps(found([candidate({ first })])).map((one) => one.text)).toEqual([
      "Make one.",
      "Allow IMAP.",
    ]);
    const provider = { name: "x", title: "X", sign_in: [], oauth2: null, first: [step("No way in.")] };
    expect(firstSteps(found([], { provider })).map((one) => one.text)).toEqual(["No way in."]);
  });

  it("knows who takes no password at all", () => {
    expect(takesNoPassword(found([candidate({ sign_in: ["oauth2"] })]))).toBe(true);
    expect(takesNoPassword(found([candidate({ sign_in: ["oauth2", "app_password"] })]))).toBe(false);
    expect(takesNoPassword(found([]))).toBe(false);
  });

  it("names each server once that is to be confirmed", () => {
    expect(toConfirm(found([candidate({ to_confirm: true })]))).toEqual(["imap.example.org"]);
    expect(toConfirm(found([candidate()]))).toEqual([]);
  });
});
