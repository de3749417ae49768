import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { cleanup, render, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Mailbox } from "../api/client";
import { mailboxesQuery } from "../mail/mailboxes";
import { listQuery } from "../mail/messages";
import { useLive } from "./live";

class Stream {
  static last: Stream;
  onopen: (() => void) | null = null;
  private readonly heard = new Map<string, (message: MessageEvent<string>) => void>();

  constructor() {
    Stream.last = this;
  }

  addEventListener(type: string, hear: (message: MessageEvent<string>) => void): void {
    this.heard.set(type, hear);
  }

  tell(type: string, data: Record<string, unknown>): void {
    const said = { type, account_id: "acc_1", data };
    this.heard.get(type)?.(new MessageEvent(type, { data: JSON.stringify(said), lastEventId: "c1" }));
  }

  close(): void {}
}

const INBOXES = listQuery({ kind: "inboxes" });
const answers: Record<string, () => Promise<unknown>> = {};

function Shown({ of }: { of: string }) {
  useLive();
  useQuery({ queryKey: [of], queryFn: () => answers[of]?.() ?? null, staleTime: Infinity });
  return null;
}

let queries: QueryClient;

beforeEach(() => {
  vi.stubGlobal("EventSource", Stream);
  queries = new QueryClient();
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function show(of: string): void {
  render(
    <QueryClientProvider client={queries}>
      <Shown of={of} />
    </QueryClientProvider>,
  );
}

it("a list is asked for anew when its mailbox is told after its mail", async () => {
  let mail: string[] = [];
  answers.messages = () => Promise.resolve(mail);
  show("messages");
  await waitFor(() => expect(queries.getQueryData(["messages"])).toEqual([]));
  mail = ["msg_1"];
  Stream.last.tell("mailbox.created", { id: "mbx_1" });
  await waitFor(() => expect(queries.getQueryData(["messages"])).toEqual(["msg_1"]));
});

it("a message in a mailbox that is not known yet has its lists asked for anew", async () => {
  let mail: string[] = [];
  answers.messages = () => Promise.resolve(mail);
  show("messages");
  await waitFor(() => expect(queries.getQueryData(["messages"])).toEqual([]));
  mail = ["msg_1"];
  Stream.last.tell("message.received", { id: "msg_1", mailbox_id: "mbx_1", keywords: [], labels: [] });
  await waitFor(() => expect(queries.getQueryData(["messages"])).toEqual(["msg_1"]));
});

it("what is told while a first answer is on its way is not lost", async () => {
  let answer: (mail: string[]) => void = () => undefined;
  const first = new Promise<string[]>((resolve) => (answer = resolve));
  const asked = vi.fn().mockReturnValueOnce(first).mockResolvedValue(["msg_1"]);
  answers.messages = asked;
  const anew = vi.spyOn(queries.getQueryCache(), "findAll");
  show("messages");
  Stream.last.tell("messages.added", { count: 1 });
  await waitFor(() => expect(anew).toHaveBeenCalled());
  answer([]); // read before the message was there
  await waitFor(() => expect(queries.getQueryData(["messages"])).toEqual(["msg_1"]));
  expect(asked).toHaveBeenCalledTimes(2);
});

it("new mail stands in the lists of its mailbox at once", () => {
  const inbox = { id: "mbx_1", account_id: "acc_1", role: "inbox" } as Mailbox;
  queries.setQueryData(mailboxesQuery.queryKey, [inbox]);
  queries.setQueryData(INBOXES.queryKey, {
    pages: [{ items: [], next_cursor: null }],
    pageParams: [null],
  });
  show("other");
  Stream.last.tell("message.received", {
    id: "msg_1",
    mailbox_id: "mbx_1",
    keywords: [],
    labels: [],
    thread_id: null,
    received_at: "2026-11-20T10:00:00Z",
  });
  expect(queries.getQueryData(INBOXES.queryKey)?.pages[0]?.items[0]?.id).toBe("msg_1");
});
