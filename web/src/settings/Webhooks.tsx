import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Field, textOf, Tick, Trouble } from "../ui/Form";

type Webhook = Schemas["ShownWebhook"];
type EventType = Schemas["EventType"];

/** What people most often want to hear of; the others can be asked for by the API. */
const OFFERED: readonly EventType[] = [
  "message.received",
  "message.updated",
  "message.moved",
  "message.deleted",
  "account.state_changed",
  "submission.accepted",
  "submission.deferred",
  "submission.failed",
  "submission.bounced",
  "submission.complained",
];

/** Programs that are told what happens. */
export function Webhooks() {
  const say = useSay();
  const { data, error, isPending } = useQuery({
    queryKey: ["webhooks"],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/webhooks", { signal })),
    refetchOnWindowFocus: true,
  });
  if (isPending) return <CardGhost />;
  return (
    <>
      <section className="card" aria-label={say("settings.webhooks")}>
        <h2>{say("settings.webhooks")}</h2>
        <p className="soft">{say("webhooks.intro")}</p>
        <Trouble of={error} />
        {data?.items.length === 0 && <p className="soft">{say("webhooks.none")}</p>}
        {data?.items.map((one) => (
          <WebhookCard key={one.id} webhook={one} />
        ))}
      </section>
      <NewWebhook />
    </>
  );
}

type Done = "pause" | "resume" | "remove" | "test" | "rotate";

function WebhookCard({ webhook }: { webhook: Webhook }) {
  const say = useSay();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const params = { path: { webhook_id: webhook.id } };
  const { data: more } = useQuery({
    queryKey: ["webhook", webhook.id],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/webhooks/{webhook_id}", { params, signal })),
  });
  const doing = useMutation({
    mutationFn: async (done: Done): Promise<string | null> => {
      switch (done) {
        case "remove":
          await must(api.DELETE("/api/v1/webhooks/{webhook_id}", { params }));
          return null;
        case "pause":
          await must(api.POST("/api/v1/webhooks/{webhook_id}:pause", { params }));
          return null;
        case "resume":
          await must(api.POST("/api/v1/webhooks/{webhook_id}:resume", { params }));
          return null;
        case "rotate":
          return (await must(api.POST("/api/v1/webhooks/{webhook_id}:rotate-secret", { params, body: {} })))
            .secret;
        case "test": {
          const told = await must(api.POST("/api/v1/webhooks/{webhook_id}:test", { params }));
          setOpen(true);
          return told.result === "ok" ? null : say("webhooks.answered", { what: answer(told) });
        }
      }
    },
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: ["webhooks"] });
      await queries.invalidateQueries({ queryKey: ["webhook", webhook.id] });
      await queries.invalidateQueries({ queryKey: ["deliveries", webhook.id] });
    },
  });
  return (
    <article className="account" aria-label={webhook.url}>
      <div>
        <strong>
          <bdi>{webhook.url}</bdi>
        </strong>
        <p className="soft small">
          {webhook.description && (
            <>
              <bdi>{webhook.description}</bdi> ·{" "}
            </>
          )}
          {say(`webhooks.state.${webhook.state as "active" | "failing" | "paused"}`)}
          {webhook.last_success_at && (
            <>
              {" "}
              · {say("webhooks.told")} <When at={webhook.last_success_at} />
            </>
          )}
          {more && more.backlog.events > 0 && (
            <> · {say("webhooks.waiting", { count: more.backlog.events })}</>
          )}
        </p>
        <p className="soft small">{webhook.types?.join(", ") ?? say("webhooks.everything")}</p>
      </div>
      <div className="entry-acts">
        <button type="button" className="button" onClick={() => doing.mutate("test")}>
          {say("webhooks.test")}
        </button>
        <button
          type="button"
          className="button"
          onClick={() => doing.mutate(webhook.paused_at ? "resume" : "pause")}
        >
          {say(webhook.paused_at ? "settings.resume" : "settings.pause")}
        </button>
        <button type="button" className="button" onClick={() => doing.mutate("rotate")}>
          {say("webhooks.rotate")}
        </button>
        <button type="button" className="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {say("webhooks.log")}
        </button>
        <button
          type="button"
          className="button danger"
          onClick={() => {
            if (window.confirm(say("webhooks.removeSure", { url: webhook.url }))) doing.mutate("remove");
          }}
        >
          {say("settings.remove")}
        </button>
      </div>
      <Trouble of={doing.error} />
      {doing.data && (
        <div className="note" role="status">
          {doing.variables === "rotate" && <span>{say("app.onlyNow")}</span>}
          <code className="secret">{doing.data}</code>
        </div>
      )}
      {open && <Deliveries webhookId={webhook.id} />}
    </article>
  );
}

const answer = (one: Schemas["ShownDelivery"]): string =>
  [one.status, one.result, one.detail].filter(Boolean).join(" ");

function Deliveries({ webhookId }: { webhookId: string }) {
  const say = useSay();
  const { data, error, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["deliveries", webhookId],
    queryFn: async ({ pageParam, signal }) =>
      must(
        api.GET("/api/v1/webhooks/{webhook_id}/deliveries", {
          params: { path: { webhook_id: webhookId }, query: { cursor: pageParam, limit: 25 } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const all = data?.pages.flatMap((page) => page.items) ?? [];
  if (data && !all.length) return <p className="soft small">{say("webhooks.noLog")}</p>;
  return (
    <>
      <Trouble of={error} />
      <table className="deliveries">
        <caption className="unseen">{say("webhooks.log")}</caption>
        <thead>
          <tr>
            <th scope="col">{say("webhooks.when")}</th>
            <th scope="col">{say("webhooks.event")}</th>
            <th scope="col">{say("webhooks.answer")}</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => (
            <tr key={one.id}>
              <td>
                <When at={one.attempted_at} long />
              </td>
              <td>
                {one.type}
                {one.attempt > 1 && <> ({say("webhooks.attempt", { count: one.attempt })})</>}
              </td>
              <td className={one.result === "ok" ? undefined : "wrong"}>
                {answer(one)}
                {one.milliseconds !== null && <> · {one.milliseconds} ms</>}
                {one.response_body && <pre>{one.response_body.slice(0, 300)}</pre>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hasNextPage && (
        <button type="button" className="button" onClick={() => void fetchNextPage()}>
          {say("app.showMore")}
        </button>
      )}
    </>
  );
}

function NewWebhook() {
  const say = useSay();
  const queries = useQueryClient();
  const [all, setAll] = useState(true);
  const [types, setTypes] = useState<readonly EventType[]>(["message.received"]);
  const making = useMutation({
    mutationFn: async (given: { url: string; description: string }) =>
      must(api.POST("/api/v1/webhooks", { body: { ...given, types: all ? null : [...types] } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    making.mutate({ url: textOf(form, "url"), description: textOf(form, "description") });
  };
  return (
    <section className="card" aria-label={say("webhooks.add")}>
      <h2>{say("webhooks.add")}</h2>
      <form onSubmit={submit}>
        <Field label={say("webhooks.url")} name="url" type="url" required error={making.error} />
        <Field label={say("webhooks.description")} name="description" error={making.error} />
        <Tick label={say("webhooks.everything")} checked={all} onChange={setAll} />
        {!all && (
          <div className="ticks">
            {OFFERED.map((type) => (
              <Tick
                key={type}
                label={type}
                checked={types.includes(type)}
                onChange={(on) => setTypes(on ? [...types, type] : types.filter((one) => one !== type))}
              />
            ))}
          </div>
        )}
        <Trouble of={making.error} />
        <button type="submit" className="button" disabled={making.isPending || (!all && !types.length)}>
          {say("webhooks.add")}
        </button>
      </form>
      {making.data && (
        <div className="note" role="status">
          <span>{say("app.onlyNow")}</span>
          <code className="secret">{making.data.secret}</code>
        </div>
      )}
    </section>
  );
}
