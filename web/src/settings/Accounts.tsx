import { keepPreviousData, queryOptions, useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { goAndConsent } from "../accounts/consent";
import { type Account, api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { accountsQuery } from "../session/session";
import { en, type StringId } from "../strings/en";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Trouble } from "../ui/Form";
import type { SectionProps } from "./SettingsPage";

const standingQuery = ({ id, state, reason }: Account) =>
  queryOptions({
    queryKey: ["standing", id, state, reason],
    queryFn: async ({ signal }) =>
      must(api.GET("/api/v1/accounts/{account_id}/standing", { params: { path: { account_id: id } }, signal })),
    placeholderData: keepPreviousData,
  });

const integrityQuery = ({ id }: Account) =>
  queryOptions({
    queryKey: ["integrity", id],
    queryFn: async ({ signal }) =>
      must(api.GET("/api/v1/accounts/{account_id}/integrity", { params: { path: { account_id: id } }, signal })),
  });

const arePending = (answers: { isPending: boolean }[]): boolean => answers.some((one) => one.isPending);

/** Mail accounts: how each is doing, in its server's words, and what can be done. */
export function Accounts({ accounts }: SectionProps) {
  const say = useSay();
  const standing = useQueries({ queries: accounts.map(standingQuery), combine: arePending });
  const proving = useQueries({ queries: accounts.map(integrityQuery), combine: arePending });
  if (standing || proving) return <CardGhost />;
  return (
    <section className="card" aria-label={say("settings.accounts")}>
      <h2>{say("settings.accounts")}</h2>
      {accounts.map((account) => (
        <AccountCard key={account.id} account={account} />
      ))}
      <Link to="/connect" className="button">
        {say("settings.addAccount")}
      </Link>
    </section>
  );
}

type Done = "pause" | "resume" | "remove" | "check";

function AccountCard({ account }: { account: Account }) {
  const say = useSay();
  const queries = useQueryClient();
  const path = { account_id: account.id };
  const { data: standing } = useQuery(standingQuery(account));
  const doing = useMutation({
    mutationFn: async (what: Done): Promise<unknown> => {
      const params = { path };
      if (what === "remove") return must(api.DELETE("/api/v1/accounts/{account_id}", { params }));
      if (what === "pause") return must(api.POST("/api/v1/accounts/{account_id}:pause", { params }));
      if (what === "check") return must(api.POST("/api/v1/accounts/{account_id}:check", { params }));
      return must(api.POST("/api/v1/accounts/{account_id}:resume", { params }));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: accountsQuery.queryKey });
      await queries.invalidateQueries({ queryKey: ["mailboxes"] });
    },
  });
  const testing = useMutation({
    mutationFn: async () => must(api.POST("/api/v1/accounts/{account_id}:test", { params: { path } })),
  });
  const consenting = useMutation({ mutationFn: goAndConsent });
  const name = account.name || account.email;
  const advice = adviceFor(account.reason);
  return (
    <article className="account" aria-label={name}>
      <div className="between">
        <div>
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <p className="soft small">
            <bdi>{account.email}</bdi> · {say(`state.${account.state}`)}
            {standing && (
              <>
                {" "}
                · {say("account.since")} <When at={standing.state_since} />
              </>
            )}
          </p>
          <p className="soft small">
            {account.imap.host}:{account.imap.port} · {account.smtp.host}:{account.smtp.port}
          </p>
        </div>
        <div className="entry-acts">
          <button
            type="button"
            className="button"
            disabled={testing.isPending}
            onClick={() => testing.mutate()}
          >
            {say(testing.isPending ? "connect.testing" : "account.test")}
          </button>
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
      {(account.server_said || advice) && account.state !== "live" && (
        <p className="note bad">
          <span>
            {advice && say(advice)}{" "}
            {account.server_said && say("state.said", { words: account.server_said })}
          </span>
          {!account.paused && (
            <button type="button" className="button" onClick={() => doing.mutate("check")}>
              {say("account.check")}
            </button>
          )}
        </p>
      )}
      {account.state === "reauth_required" && (
        <button
          type="button"
          className="button first"
          disabled={consenting.isPending}
          onClick={() => consenting.mutate({ email: account.email, account: account.id })}
        >
          {say("account.consent")}
        </button>
      )}
      {account.sending.state !== "ready" && account.sending.server_said && (
        <p className="note bad">
          {say("account.sending", { words: account.sending.server_said })}
        </p>
      )}
      <Trouble of={doing.error ?? testing.error ?? consenting.error} />
      {testing.data && (
        <div className="note" role="status">
          <Tested name={say("connect.imap")} server={testing.data.imap} />
          <Tested name={say("connect.smtp")} server={testing.data.smtp} />
        </div>
      )}
      <Proof account={account} />
    </article>
  );
}

/** What to do where the server says no, as far as there is something to do. */
function adviceFor(reason: string | null): StringId | null {
  const id = `reason.${reason ?? ""}`;
  return id in en ? (id as StringId) : null;
}

function Tested({ name, server }: { name: string; server: Schemas["TestedServer"] | null }) {
  const say = useSay();
  if (!server) return null;
  const words = [server.detail, server.server_said].filter(Boolean).join(" ");
  return (
    <span>
      {name}: {server.ok ? say("account.works", { milliseconds: server.milliseconds }) : words}
    </span>
  );
}

function Proof({ account }: { account: Account }) {
  const say = useSay();
  const { data: facts } = useQuery(integrityQuery(account));
  if (!facts) return null;
  const number = (value: number | null) => value ?? "?";
  return (
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
  );
}
