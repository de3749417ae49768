import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { meQuery } from "../session/session";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Choice, Field, textOf, Tick, Trouble } from "../ui/Form";

type Scope = Schemas["Scope"];

const DAYS = ["30", "90", "365", "never"] as const;
const DAY_MILLISECONDS = 24 * 3_600_000;

/** What programs are given to speak for somebody. */
export function Tokens() {
  const say = useSay();
  const queries = useQueryClient();
  const { data, error, isPending } = useQuery({
    queryKey: ["tokens"],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/tokens", { signal })),
  });
  const removing = useMutation({
    mutationFn: async (id: string) =>
      must(api.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  if (isPending) return <CardGhost />;
  return (
    <>
      <section className="card" aria-label={say("settings.tokens")}>
        <h2>{say("settings.tokens")}</h2>
        <p className="soft">{say("tokens.intro")}</p>
        <Trouble of={error ?? removing.error} />
        {data?.items.length === 0 && <p className="soft">{say("tokens.none")}</p>}
        <ul className="entries">
          {data?.items.map((one) => (
            <li key={one.id} className="entry">
              <div className="entry-words">
                <strong>
                  <bdi>{one.name}</bdi>
                </strong>
                <p className="soft small">
                  <code>{one.prefix}…</code> · {one.scopes.join(", ")}
                </p>
                <p className="soft small">
                  {one.used_at ? (
                    <>
                      {say("security.used")} <When at={one.used_at} long />
                    </>
                  ) : (
                    say("tokens.unused")
                  )}
                  {one.expires_at && (
                    <>
                      {" "}
                      · {say("tokens.until")} <When at={one.expires_at} long />
                    </>
                  )}
                </p>
              </div>
              <button type="button" className="button danger" onClick={() => removing.mutate(one.id)}>
                {say("tokens.remove")}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <NewToken />
    </>
  );
}

function NewToken() {
  const say = useSay();
  const queries = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [scopes, setScopes] = useState<readonly Scope[]>(["mail:read"]);
  const [days, setDays] = useState<(typeof DAYS)[number]>("90");
  const making = useMutation({
    mutationFn: async (name: string) =>
      must(
        api.POST("/api/v1/tokens", {
          body: {
            name,
            scopes: [...scopes],
            expires_at:
              days === "never" ? null : new Date(Date.now() + Number(days) * DAY_MILLISECONDS).toISOString(),
          },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    making.mutate(textOf(new FormData(event.currentTarget), "name"));
    event.currentTarget.reset();
  };
  return (
    <section className="card" aria-label={say("tokens.make")}>
      <h2>{say("tokens.make")}</h2>
      <form onSubmit={submit}>
        <Field label={say("tokens.name")} name="name" required error={making.error} />
        <fieldset>
          <legend>{say("tokens.may")}</legend>
          <div className="ticks">
            {me?.scopes.map((scope) => (
              <Tick
                key={scope}
                label={say(`scope.${scope}`)}
                hint={scope}
                checked={scopes.includes(scope)}
                onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))}
              />
            ))}
          </div>
        </fieldset>
        <Choice
          label={say("tokens.for")}
          value={days}
          among={DAYS.map((one) => [
            one,
            one === "never" ? say("tokens.never") : say("tokens.days", { count: Number(one) }),
          ])}
          onChange={setDays}
        />
        <Trouble of={making.error} />
        <button type="submit" className="button" disabled={making.isPending || !scopes.length}>
          {say("tokens.make")}
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
