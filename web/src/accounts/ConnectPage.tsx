import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useId, useState } from "react";

import { api, must, type Schemas } from "../api/client";
import { ApiProblem } from "../api/problem";
import { accountsQuery } from "../session/session";
import { type Say, useSay } from "../strings/use";
import { Trouble } from "../ui/Form";
import { useTitle } from "../ui/useTitle";
import "./connect.css";
import { consentAt, goAndConsent } from "./consent";
import { best, isSure, takesNoPassword, useDiscovery } from "./discovery";
import { Found } from "./Found";

type Security = Schemas["Security"];

interface Server {
  host: string;
  port: number;
  security: Security;
  username: string;
}

const PORTS: Record<"imap" | "smtp", Record<Security, number>> = {
  imap: { tls: 993, starttls: 143, none: 143 },
  smtp: { tls: 465, starttls: 587, none: 587 },
};

export function ConnectPage() {
  const say = useSay();
  useTitle(say("connect.title"));
  const id = useId();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [email, setEmail] = useState("");
  const { found, isLooking } = useDiscovery(email);
  const domain = isLooking ? "" : (email.split("@")[1] ?? "");
  const [imap, setImap] = useState<Partial<Server>>({});
  const [smtp, setSmtp] = useState<Partial<Server>>({});
  const server = (kind: "imap" | "smtp"): Server => {
    const chosen = kind === "imap" ? imap : smtp;
    // Whoever names another host means another server: what was found is not true of that.
    const known = chosen.host === undefined ? best(found, kind)?.server : undefined;
    const security = chosen.security ?? known?.security ?? "tls";
    const port = security === known?.security ? known.port : PORTS[kind][security];
    return {
      host: chosen.host ?? known?.host ?? (domain && `${kind}.${domain}`),
      security,
      port: chosen.port ?? port,
      username: chosen.username ?? (known ? (known.username ?? "") : email),
    };
  };

  const servers = (password: string) => ({
    imap: { ...server("imap"), password, verify_certificate: true },
    smtp: { ...server("smtp"), password, verify_certificate: true },
  });
  const connecting = useMutation({
    mutationFn: async ({ name, password, anyway }: Given): Promise<string[]> => {
      const wrong = anyway ? [] : await whatIsWrong(servers(password), say);
      if (!wrong.length)
        await must(
          api.POST("/api/v1/accounts", {
            body: { name: name || email, email, ...servers(password) },
          }),
        );
      return wrong;
    },
    onSuccess: async (wrong) => {
      if (wrong.length) return;
      await queries.invalidateQueries({ queryKey: accountsQuery.queryKey });
      await navigate({ to: "/mail/$scope", params: { scope: "inbox" }, search: {} });
    },
  });
  const provider = isLooking ? null : consentAt(found);
  const consenting = useMutation({ mutationFn: goAndConsent });
  const title = found?.provider?.title ?? domain;
  // Servers that are sure need nobody's eye; those that somebody has entered stay in sight.
  const isEntered = Object.keys(imap).length + Object.keys(smtp).length > 0;
  const isOpen = isEntered || !isSure(found);
  const problem = connecting.error instanceof ApiProblem ? connecting.error : null;

  const wrong = connecting.data ?? [];

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    connecting.mutate({
      name: textOf(form, "name"),
      password: textOf(form, "password"),
      anyway: wrong.length > 0,
    });
  };

  return (
    <main className="page">
      <div>
        <h1>{say("connect.title")}</h1>
        <p className="soft">{say("connect.intro")}</p>
      </div>
      <form className="card" onSubmit={submit} onChange={() => connecting.reset()}>
        <div className="field">
          <label htmlFor={`${id}e`}>{say("connect.email")}</label>
          <input
            id={`${id}e`}
            type="email"
            required
            value={email}
            onChange={(event) => setEmail(event.target.value.trim())}
          />
          {problem?.field("/email") && <span className="wrong">{problem.field("/email")}</span>}
        </div>
        <Found found={found} isLooking={isLooking} />
        {provider && (
          <>
            <button
              type="button"
              className={takesNoPassword(found) ? "button first" : "button"}
              disabled={consenting.isPending}
              onClick={() => consenting.mutate({ email, provider })}
            >
              {say("connect.consent", { provider: title })}
            </button>
            <Trouble of={consenting.error} />
          </>
        )}
        <div className="field">
          <label htmlFor={`${id}p`}>{say("connect.password")}</label>
          <input id={`${id}p`} name="password" type="password" required autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor={`${id}n`}>{say("connect.name")}</label>
          <input id={`${id}n`} name="name" placeholder={email} />
        </div>
        <details open={isOpen || problem !== null || wrong.length > 0}>
          <summary>{say("connect.servers")}</summary>
          <ServerFields
            kind="imap"
            value={server("imap")}
            onChange={(changed) => setImap({ ...imap, ...changed })}
            problem={problem}
          />
          <ServerFields
            kind="smtp"
            value={server("smtp")}
            onChange={(changed) => setSmtp({ ...smtp, ...changed })}
            problem={problem}
          />
        </details>
        {connecting.error && (
          <p className="note bad" role="alert">
            {connecting.error.message}
          </p>
        )}
        {wrong.map((one) => (
          <p className="note bad" role="alert" key={one}>
            {one}
          </p>
        ))}
        <button type="submit" className="button first" disabled={connecting.isPending}>
          {say(
            connecting.isPending
              ? "connect.testing"
              : wrong.length
                ? "connect.anyway"
                : "connect.submit",
          )}
        </button>
      </form>
    </main>
  );
}

interface Given {
  name: string;
  password: string;
  anyway: boolean;
}

/** What stands in the way of each server, in its own words where it had some. */
async function whatIsWrong(body: Schemas["ServersToTest"], say: Say): Promise<string[]> {
  const tested = await must(api.POST("/api/v1/accounts:test", { body }));
  return (["imap", "smtp"] as const).flatMap((kind) => {
    const one = tested[kind];
    if (!one || one.ok) return [];
    const detail = [one.detail, one.server_said].filter(Boolean).join(" ");
    return [say(`connect.wrong.${kind}`, { detail: detail || (one.reason ?? "") })];
  });
}

const textOf = (form: FormData, name: string): string => {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
};

interface FieldsProps {
  kind: "imap" | "smtp";
  value: Server;
  onChange: (changed: Partial<Server>) => void;
  problem: ApiProblem | null;
}

function ServerFields({ kind, value, onChange, problem }: FieldsProps) {
  const say = useSay();
  const id = useId();
  const wrong = ["host", "port", "security", "username"]
    .map((name) => problem?.field(`/${kind}/${name}`))
    .find(Boolean);
  return (
    <fieldset>
      <legend>{say(`connect.${kind}`)}</legend>
      <div className="pair">
        <div className="field">
          <label htmlFor={`${id}h`}>{say("connect.host")}</label>
          <input
            id={`${id}h`}
            required
            value={value.host}
            onChange={(event) => onChange({ host: event.target.value.trim() })}
          />
        </div>
        <div className="field">
          <label htmlFor={`${id}o`}>{say("connect.port")}</label>
          <input
            id={`${id}o`}
            type="number"
            min={1}
            max={65535}
            required
            value={value.port || ""}
            onChange={(event) => onChange({ port: event.target.valueAsNumber || 0 })}
          />
        </div>
        <div className="field">
          <label htmlFor={`${id}s`}>{say("connect.security")}</label>
          <select
            id={`${id}s`}
            value={value.security}
            onChange={(event) => onChange({ security: event.target.value as Security })}
          >
            {(["tls", "starttls", "none"] as const).map((one) => (
              <option key={one} value={one}>
                {say(`connect.security.${one}`)}
              </option>
            ))}
          </select>
        </div>
      </div>
      <div className="field">
        <label htmlFor={`${id}u`}>{say("connect.username")}</label>
        <input
          id={`${id}u`}
          value={value.username}
          autoComplete="off"
          onChange={(event) => onChange({ username: event.target.value })}
        />
      </div>
      {wrong && <span className="wrong">{wrong}</span>}
    </fieldset>
  );
}
