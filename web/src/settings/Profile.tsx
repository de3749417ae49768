import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { SubmitEvent } from "react";

import { api, must } from "../api/client";
import { preferences, usePrefer } from "../session/preferences";
import { meQuery } from "../session/session";
import { useSay } from "../strings/use";
import { Choice, Field, textOf, Tick, Trouble } from "../ui/Form";
import { useStore } from "../ui/store";

/** Who one is here, and how one likes it. */
export function Profile() {
  const say = useSay();
  const { data: me, error } = useQuery(meQuery);
  return (
    <>
      <section className="card" aria-label={say("settings.profile")}>
        <h2>{say("settings.profile")}</h2>
        <Trouble of={error} />
        {me && (
          <>
            <p>
              <strong>
                <bdi>{me.name || me.email}</bdi>
              </strong>
              <br />
              <bdi>{me.email}</bdi>{" "}
              <span className="soft small">
                {say(me.email_verified ? "profile.verified" : "profile.unverified")}
              </span>
            </p>
            <p className="soft">
              {say("profile.in", { tenant: me.tenant.name, role: say(`role.${me.tenant.role}`) })}
            </p>
            <OwnName name={me.name} />
            {me.scopes.includes("tenant:admin") && <Tenant name={me.tenant.name} />}
          </>
        )}
      </section>
      <Looks />
      <Writing />
    </>
  );
}

function OwnName({ name }: { name: string }) {
  const say = useSay();
  const queries = useQueryClient();
  const naming = useMutation({
    mutationFn: async (given: string) => must(api.PATCH("/api/v1/me", { body: { name: given } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: meQuery.queryKey }),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    naming.mutate(textOf(new FormData(event.currentTarget), "name"));
  };
  return (
    <form onSubmit={submit}>
      <Field
        label={say("profile.name")}
        name="name"
        autoComplete="name"
        defaultValue={name}
        error={naming.error}
      />
      <Trouble of={naming.error} />
      <button type="submit" className="button" disabled={naming.isPending}>
        {say("app.save")}
      </button>
    </form>
  );
}

function Tenant({ name }: { name: string }) {
  const say = useSay();
  const queries = useQueryClient();
  const naming = useMutation({
    mutationFn: async (given: string) => must(api.PATCH("/api/v1/tenant", { body: { name: given } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: meQuery.queryKey }),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    naming.mutate(textOf(new FormData(event.currentTarget), "name"));
  };
  return (
    <form onSubmit={submit}>
      <Field label={say("profile.tenant")} name="name" defaultValue={name} required error={naming.error} />
      <Trouble of={naming.error} />
      <button type="submit" className="button" disabled={naming.isPending}>
        {say("app.save")}
      </button>
    </form>
  );
}

const THEMES = ["system", "light", "dark"] as const;
const DENSITIES = ["comfortable", "cosy", "compact"] as const;
// As people write dates and numbers in them; any other that was chosen elsewhere is shown, too.
const LANGUAGES = (
  "ar bg ca cs da de de-AT de-CH el en-AU en-CA en-GB en-IE en-IN en-US es es-MX et fa fi fr fr-CA " +
  "fr-CH he hi hr hu id it ja ko lt lv nb nl pl pt pt-BR ro ru sk sl sr sv th tr uk vi zh-CN zh-TW"
).split(" ");
const PATIENCE = ["0", "2", "5", "10"] as const; // seconds

function Looks() {
  const say = useSay();
  const chosen = useStore(preferences);
  const prefer = usePrefer();
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = new Set([...Intl.supportedValuesOf("timeZone"), "UTC", ...(chosen.time_zone ? [chosen.time_zone] : [])]);
  const names = new Intl.DisplayNames("en", { type: "language", fallback: "code" });
  const languages = new Set([...LANGUAGES, ...(chosen.language ? [chosen.language] : [])]);
  return (
    <section className="card" aria-label={say("settings.appearance")}>
      <h2>{say("settings.appearance")}</h2>
      <Choice
        label={say("settings.theme")}
        value={chosen.theme}
        among={THEMES.map((one) => [one, say(`settings.theme.${one}`)])}
        onChange={(theme) => prefer.mutate({ theme })}
      />
      <Choice
        label={say("settings.density")}
        value={chosen.density}
        among={DENSITIES.map((one) => [one, say(`settings.density.${one}`)])}
        onChange={(density) => prefer.mutate({ density })}
      />
      <Choice
        label={say("settings.timeZone")}
        value={chosen.time_zone ?? ""}
        among={[["", say("settings.timeZone.here", { zone: here })], ...[...zones].map((one) => [one, one] as const)]}
        onChange={(zone) => prefer.mutate({ time_zone: zone || null })}
      />
      <Choice
        label={say("settings.language")}
        value={chosen.language ?? ""}
        among={[
          ["", say("settings.language.here", { language: names.of(navigator.language) ?? navigator.language })],
          ...[...languages].map((one) => [one, names.of(one) ?? one] as const),
        ]}
        onChange={(language) => prefer.mutate({ language: language || null })}
      />
      <Choice
        label={say("settings.markRead")}
        value={String(chosen.mark_read_seconds)}
        among={PATIENCE.map((one) => [one, say("settings.markRead.after", { seconds: Number(one) })])}
        onChange={(seconds) => prefer.mutate({ mark_read_seconds: Number(seconds) })}
      />
      <Trouble of={prefer.error} />
    </section>
  );
}

function Writing() {
  const say = useSay();
  const chosen = useStore(preferences);
  const prefer = usePrefer();
  return (
    <section className="card" aria-label={say("settings.writing")}>
      <h2>{say("settings.writing")}</h2>
      <Tick
        label={say("writing.plain")}
        checked={chosen.plain_text}
        onChange={(plain) => prefer.mutate({ plain_text: plain })}
      />
      <Tick
        label={say("writing.toAll")}
        checked={chosen.reply_to_all}
        onChange={(toAll) => prefer.mutate({ reply_to_all: toAll })}
      />
      <Trouble of={prefer.error} />
    </section>
  );
}
