import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useId } from "react";

import { type Account, api, must } from "../api/client";
import { When } from "../mail/When";
import { accountsQuery, useSignOut } from "../session/session";
import { useSay } from "../strings/use";
import { appearance, choose, type Density, type Theme } from "../ui/appearance";
import { useStore } from "../ui/store";

export function SettingsPage({ accounts }: { accounts: readonly Account[] }) {
  const say = useSay();
  const signOut = useSignOut();
  return (
    <main className="page wide">
      <div className="between">
        <h1>{say("settings.title")}</h1>
        <Link to="/mail/$scope" params={{ scope: "inbox" }} search={{}} className="button">
          <ArrowLeft size={16} aria-hidden /> {say("app.home")}
        </Link>
      </div>
      <section className="card" aria-label={say("settings.accounts")}>
        <h2>{say("settings.accounts")}</h2>
        {accounts.map((account) => (
          <AccountCard key={account.id} account={account} />
        ))}
        <Link to="/connect" className="button">
          {say("settings.addAccount")}
        </Link>
      </section>
      <Appearance />
      <Sending />
      <button type="button" className="button" onClick={() => signOut.mutate()}>
        {say("session.signOut")}
      </button>
    </main>
  );
}

function AccountCard({ account }: { account: Account }) {
  const say = useSay();
  const queries = useQueryClient();
  const path = { account_id: account.id };
  const { data: facts } = useQuery({
    queryKey: ["integrity", account.id],
    queryFn: async () =>
      must(api.GET("/api/v1/accounts/{account_id}/integrity", { params: { path } })),
  });
  const doing = useMutation({
    mutationFn: async (what: "pause" | "resume" | "remove"): Promise<unknown> => {
      if (what === "remove")
        return must(api.DELETE("/api/v1/accounts/{account_id}", { params: { path } }));
      if (what === "pause")
        return must(api.POST("/api/v1/accounts/{account_id}:pause", { params: { path } }));
      return must(api.POST("/api/v1/accounts/{account_id}:resume", { params: { path } }));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: accountsQuery.queryKey });
      await queries.invalidateQueries({ queryKey: ["mailboxes"] });
    },
  });
  const name = account.name || account.email;
  const number = (value: number | null) => value ?? "?";
  return (
    <div className="account">
      <div className="between">
        <div>
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <p className="soft small">
            {account.email} · {say(`state.${account.state}`)}
          </p>
        </div>
        <div className="between">
          <button
            type="button"
            className="button"
            onClick={() => doing.mutate(account.paused ? "resume" : "pause")}
          >
            {say(account.paused ? "settings.resume" : "settings.pause")}
          </button>
          <button
            type="button"
            className="button danger"
            onClick={() => {
              if (window.confirm(say("settings.removeSure", { name }))) doing.mutate("remove");
            }}
          >
            {say("settings.remove")}
          </button>
        </div>
      </div>
      {account.server_said && (
        <p className="note bad">{say("state.said", { words: account.server_said })}</p>
      )}
      {doing.error && (
        <p className="note bad" role="alert">
          {doing.error.message}
        </p>
      )}
      {facts && (
        <p className="small">
          <strong>{say("settings.proof")}</strong>{" "}
          {facts.agrees
            ? say("settings.proof.all", {
                server: facts.server ?? 0,
                kept: facts.kept ?? 0,
                listed: facts.listed,
                searchable: facts.searchable ?? 0,
              })
            : say("settings.proof.some", {
                server: number(facts.server),
                kept: number(facts.kept),
                listed: facts.listed,
                searchable: number(facts.searchable),
                quarantined: number(facts.quarantined),
              })}
        </p>
      )}
    </div>
  );
}

function Appearance() {
  const say = useSay();
  const id = useId();
  const chosen = useStore(appearance);
  return (
    <section className="card" aria-label={say("settings.appearance")}>
      <h2>{say("settings.appearance")}</h2>
      <div className="field">
        <label htmlFor={`${id}t`}>{say("settings.theme")}</label>
        <select
          id={`${id}t`}
          value={chosen.theme}
          onChange={(event) => choose({ ...chosen, theme: event.target.value as Theme })}
        >
          {(["system", "light", "dark"] as const).map((one) => (
            <option key={one} value={one}>
              {say(`settings.theme.${one}`)}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor={`${id}d`}>{say("settings.density")}</label>
        <select
          id={`${id}d`}
          value={chosen.density}
          onChange={(event) => choose({ ...chosen, density: event.target.value as Density })}
        >
          {(["cosy", "compact"] as const).map((one) => (
            <option key={one} value={one}>
              {say(`settings.density.${one}`)}
            </option>
          ))}
        </select>
      </div>
    </section>
  );
}

function Sending() {
  const say = useSay();
  const { data } = useQuery({
    queryKey: ["submissions"],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/submissions", { signal })),
  });
  return (
    <section className="card" aria-label={say("settings.sent")}>
      <h2>{say("settings.sent")}</h2>
      {data?.items.length === 0 && <p className="soft">{say("settings.sent.none")}</p>}
      <ul className="fates">
        {data?.items.slice(0, 20).map((one) => (
          <li key={one.id} className="between">
            <span>
              <bdi>{one.subject || say("list.noSubject")}</bdi>
              {one.server_said && <span className="soft small"> {one.server_said}</span>}
            </span>
            <span
              className={one.state === "failed" || one.state === "uncertain" ? "wrong" : "soft small"}
            >
              {say(`fate.${one.state}`)} · <When at={one.updated_at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
