import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Account } from "../api/client";
import type { Draft } from "./draft";

interface Kept {
  version: number;
  [field: string]: unknown;
}

/** A server that keeps drafts as the API promises; `lose` loses what it answers next. */
class Server {
  drafts = new Map<string, Kept>();
  sent: unknown[] = [];
  lose = 0;
  away = false;
  private keys = new Map<string, unknown>();

  async answer(request: Request): Promise<Response> {
    if (this.away) throw new TypeError("fetch failed");
    const answer = await this.carryOut(request);
    if (this.lose > 0) {
      this.lose--;
      throw new TypeError("the line broke");
    }
    return answer;
  }

  private async carryOut(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const body = request.method === "GET" ? {} : ((await request.json()) as Record<string, unknown>);
    const key = request.headers.get("idempotency-key") ?? crypto.randomUUID();
    if (this.keys.has(key)) return json(this.keys.get(key));
    if (request.method === "POST" && path === "/api/v1/drafts") {
      const id = `drf_${this.drafts.size + 1}`;
      const made = { ...EMPTY, ...body, id, version: 1 };
      this.drafts.set(id, made);
      this.keys.set(key, made);
      return json(made, 201);
    }
    const [, id = "", verb] = /drafts\/([^/]+)(\/send)?/.exec(path) ?? [];
    const kept = this.drafts.get(id);
    if (!kept) return problem(404);
    if (request.method === "GET") return json(kept);
    if (request.headers.get("if-match") !== `"${kept.version}"`) return problem(412);
    if (verb) {
      this.sent.push(kept.subject);
      this.drafts.delete(id);
      this.keys.set(key, { id: "sub_1" });
      return json({ id: "sub_1" }, 202);
    }
    const saved = { ...kept, ...body, version: kept.version + 1 };
    this.drafts.set(id, saved);
    return json(saved);
  }
}

const EMPTY = {
  identity_id: null,
  to: [],
  cc: [],
  bcc: [],
  to_groups: [],
  cc_groups: [],
  subject: "",
  text: null,
  html: null,
  attachments: [],
  in_reply_to: null,
  forward_of: null,
};

const json = (body: unknown, status = 200) => Response.json(body, { status });

const problem = (status: number) =>
  json({ title: "No", status, detail: "No.", code: "no", errors: [] }, status);

let server: Server;
let drafts: typeof import("./drafts");
let saving: typeof import("./saving");

beforeEach(async () => {
  localStorage.clear();
  vi.resetModules();
  vi.useFakeTimers();
  server = new Server();
  vi.stubGlobal("fetch", (request: Request) => server.answer(request));
  vi.stubGlobal("Request", class extends Request {
    constructor(url: string, init?: RequestInit) {
      super(new URL(url, "http://mail.test"), init);
    }
  });
  Object.defineProperty(navigator, "locks", {
    configurable: true,
    value: { request: (_: string, run: () => Promise<void>) => run() },
  });
  drafts = await import("./drafts");
  saving = await import("./saving");
  drafts.writeAs({
    accounts: [{ id: "acc_1", email: "me@example.org" } as Account],
    identities: [],
    plain: true,
    toAll: false,
  });
});

const begun = (): Draft => {
  drafts.compose({ kind: "new" });
  const draft = drafts.drafts.get().at(-1);
  if (!draft) throw new Error("nothing is being written");
  return draft;
};

const settled = () => vi.advanceTimersByTimeAsync(120_000);

describe("what is written", () => {
  it("is on the server after a pause, once, with all that was written since", async () => {
    const { key } = begun();
    drafts.write(key, { subject: "One" });
    drafts.write(key, { subject: "Two" });
    await settled();
    drafts.write(key, { subject: "Three" });
    await settled();
    expect([...server.drafts.values()].map((one) => one.subject)).toEqual(["Three"]);
    expect(drafts.find(key)).toMatchObject({ saved: 3, changed: 3 });
    expect(saving.standings.get()).toEqual({});
  });

  it("waits for a server that is away, and is kept here meanwhile", async () => {
    server.away = true;
    const { key } = begun();
    drafts.write(key, { subject: "Kept" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(saving.standings.get()[key]).toEqual({ kind: "waiting" });
    expect(localStorage.getItem(`postbus.draft.${key}`)).toContain("Kept");
    server.away = false;
    await settled();
    expect([...server.drafts.values()].map((one) => one.subject)).toEqual(["Kept"]);
  });

  it("is one draft, and no conflict, when answers get lost", async () => {
    const { key } = begun();
    server.lose = 3;
    drafts.write(key, { subject: "Lost" });
    await settled();
    expect([...server.drafts.values()].map((one) => one.subject)).toEqual(["Lost"]);
    expect(drafts.find(key)).toMatchObject({ saved: 1 });
    expect(saving.standings.get()).toEqual({});
  });

  it("is shown beside what was written elsewhere meanwhile, and one of them is kept", async () => {
    const { key } = begun();
    drafts.write(key, { subject: "Mine" });
    await settled();
    server.drafts.set("drf_1", { ...EMPTY, id: "drf_1", account_id: "acc_1", subject: "Theirs", version: 9 });
    drafts.write(key, { subject: "Mine still" });
    await settled();
    const standing = saving.standings.get()[key];
    if (standing?.kind !== "conflict") throw new Error("there should be a conflict");
    expect(standing.theirs.subject).toBe("Theirs");
    saving.keepMine(key, standing.theirs);
    await settled();
    expect(server.drafts.get("drf_1")?.subject).toBe("Mine still");
  });

  it("is not made anew when it was sent or thrown away elsewhere", async () => {
    const { key } = begun();
    drafts.write(key, { subject: "Mine" });
    await settled();
    server.drafts.clear();
    drafts.write(key, { subject: "Mine still" });
    await settled();
    expect(saving.standings.get()[key]).toEqual({ kind: "gone" });
    expect(server.drafts.size).toBe(0);
  });
});

describe("what is sent", () => {
  it("is sent once, also when the answer gets lost, and is written no more", async () => {
    const told = vi.fn();
    saving.whenSent(told);
    const { key } = begun();
    drafts.write(key, { subject: "Now", to: [{ name: "", email: "bob@example.org" }] });
    await settled();
    server.lose = 2;
    saving.send(key, null);
    await settled();
    expect(server.sent).toEqual(["Now"]);
    expect(told).toHaveBeenCalledOnce();
    expect(drafts.find(key)).toBeUndefined();
    expect(localStorage.length).toBe(0);
  });

  it("is sent as it was written last, when the server is there again", async () => {
    server.away = true;
    const { key } = begun();
    drafts.write(key, { subject: "Late", to: [{ name: "", email: "bob@example.org" }] });
    saving.send(key, null);
    await settled();
    expect(server.sent).toEqual([]);
    server.away = false;
    await settled();
    expect(server.sent).toEqual(["Late"]);
  });
});
