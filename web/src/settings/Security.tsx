import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useRef, useState } from "react";

import { api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Field, textOf, Tick, Trouble } from "../ui/Form";
import { deviceOf } from "./device";

const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async ({ signal }) => must(api.GET("/api/v1/me/sessions", { signal })),
});

/** One's password, and wherever one is signed in. */
export function Security() {
  const { isPending } = useQuery(sessionsQuery);
  if (isPending) return <CardGhost />;
  return (
    <>
      <Password />
      <Sessions />
    </>
  );
}

function Password() {
  const say = useSay();
  const form = useRef<HTMLFormElement>(null);
  const [endTokens, setEndTokens] = useState(false);
  const changing = useMutation({
    mutationFn: async (body: Schemas["ChangedPassword"]) =>
      must(api.POST("/api/v1/me/password", { body })),
    onSuccess: () => form.current?.reset(),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    changing.mutate({
      current_password: textOf(given, "current_password"),
      new_password: textOf(given, "new_password"),
      end_api_tokens: endTokens,
    });
  };
  return (
    <section className="card" aria-label={say("session.password")}>
      <h2>{say("session.password")}</h2>
      <form onSubmit={submit} ref={form} noValidate>
        <Field
          label={say("security.current")}
          name="current_password"
          type="password"
          autoComplete="current-password"
          error={changing.error}
        />
        <Field
          label={say("reset.password")}
          name="new_password"
          type="password"
          autoComplete="new-password"
          hint={say("session.passwordHint")}
          error={changing.error}
        />
        <Tick
          label={say("security.endTokens")}
          hint={say("security.endTokensHint")}
          checked={endTokens}
          onChange={setEndTokens}
        />
        <Trouble of={changing.error} />
        {changing.isSuccess && (
          <p className="note" role="status">
            {say("security.changed")}
          </p>
        )}
        <button type="submit" className="button" disabled={changing.isPending}>
          {say("security.change")}
        </button>
      </form>
    </section>
  );
}

function Sessions() {
  const say = useSay();
  const queries = useQueryClient();
  const { data, error } = useQuery(sessionsQuery);
  const ending = useMutation({
    mutationFn: async (id: string) =>
      must(api.DELETE("/api/v1/me/sessions/{session_id}", { params: { path: { session_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const leaving = useMutation({
    mutationFn: async () => must(api.POST("/api/v1/auth/logout-everywhere")),
    onSuccess: () => window.location.assign("/sign-in"),
  });
  return (
    <section className="card" aria-label={say("security.sessions")}>
      <h2>{say("security.sessions")}</h2>
      <Trouble of={error ?? ending.error ?? leaving.error} />
      <ul className="entries">
        {data?.items.map((one) => (
          <li key={one.id} className="entry">
            <div className="entry-words">
              <strong title={one.client}>{deviceOf(one.client, say)}</strong>{" "}
              {one.current && <span className="chip">{say("security.this")}</span>}
              <p className="soft small">
                {one.address} · {say("security.used")} <When at={one.used_at} long />
              </p>
            </div>
            {!one.current && (
              <button type="button" className="button" onClick={() => ending.mutate(one.id)}>
                {say("session.signOut")}
              </button>
            )}
          </li>
        ))}
      </ul>
      <button type="button" className="button danger" onClick={() => leaving.mutate()}>
        {say("security.everywhere")}
      </button>
    </section>
  );
}
