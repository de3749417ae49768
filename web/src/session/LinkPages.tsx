/** Pages on which links of mail from Postbus land. What such a link proves stands behind its `#`. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactNode, type SubmitEvent, useEffect, useRef } from "react";

import { api, must } from "../api/client";
import { useSay } from "../strings/use";
import { Field, textOf, Trouble } from "../ui/Form";
import { useTitle } from "../ui/useTitle";
import { endTokens } from "./session";

/** What the link proves; it goes no further than to the server. */
const token = (): string => window.location.hash.slice(1);

function Page({ title, intro, children }: { title: string; intro?: string; children: ReactNode }) {
  useTitle(title);
  return (
    <main className="page">
      <div>
        <h1>{title}</h1>
        {intro && <p className="soft">{intro}</p>}
      </div>
      {children}
    </main>
  );
}

function ToSignIn() {
  const say = useSay();
  return (
    <p>
      <Link to="/sign-in">{say("session.toSignIn")}</Link>
    </p>
  );
}

/** Who forgot the password asks for a link. */
export function ForgotPage() {
  const say = useSay();
  const asking = useMutation({
    mutationFn: async (email: string) =>
      must(api.POST("/api/v1/auth/forgot-password", { body: { email } })),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    asking.mutate(textOf(new FormData(event.currentTarget), "email"));
  };
  return (
    <Page title={say("forgot.title")} intro={say("forgot.intro")}>
      {asking.isSuccess ? (
        <p className="note" role="status">
          {say("forgot.sent")}
        </p>
      ) : (
        <form className="card" onSubmit={submit}>
          <Field label={say("session.email")} name="email" type="email" autoComplete="username" required />
          <Trouble of={asking.error} />
          <button className="button first" type="submit" disabled={asking.isPending}>
            {say("forgot.send")}
          </button>
        </form>
      )}
      <ToSignIn />
    </Page>
  );
}

/** The link that was sent to who forgot the password. */
export function ResetPage() {
  const say = useSay();
  const resetting = useMutation({
    mutationFn: async (password: string) =>
      must(api.POST("/api/v1/auth/reset-password", { body: { token: token(), password } })),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    resetting.mutate(textOf(new FormData(event.currentTarget), "password"));
  };
  return (
    <Page title={say("reset.title")} intro={say("reset.intro")}>
      {resetting.isSuccess ? (
        <p className="note" role="status">
          {say("reset.done")}
        </p>
      ) : (
        <form className="card" onSubmit={submit} noValidate>
          <Field
            label={say("reset.password")}
            name="password"
            type="password"
            autoComplete="new-password"
            hint={say("session.passwordHint")}
            error={resetting.error}
          />
          <Trouble of={resetting.error} />
          <button className="button first" type="submit" disabled={resetting.isPending}>
            {say("reset.choose")}
          </button>
        </form>
      )}
      <ToSignIn />
    </Page>
  );
}

/** The link of an invitation: somebody new chooses a password, who has one gives it. */
export function InvitationPage() {
  const say = useSay();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const joining = useMutation({
    mutationFn: async ({ password, name }: { password: string; name: string }) => {
      const joined = await must(
        api.POST("/api/v1/auth/accept-invitation", { body: { token: token(), password, name } }),
      );
      const { user, tenant } = joined;
      await endTokens(joined);
      await must(
        api.POST("/api/v1/auth/session", {
          body: { email: user.email ?? "", password, tenant_id: tenant.id },
        }),
      );
    },
    onSuccess: async () => {
      await queries.resetQueries();
      await navigate({ to: "/" });
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    joining.mutate({ password: textOf(form, "password"), name: textOf(form, "name") });
  };
  return (
    <Page title={say("invitation.title")} intro={say("invitation.intro")}>
      <form className="card" onSubmit={submit} noValidate>
        <Field label={say("session.name")} name="name" autoComplete="name" error={joining.error} />
        <Field
          label={say("session.password")}
          name="password"
          type="password"
          autoComplete="current-password"
          hint={say("invitation.password")}
          error={joining.error}
        />
        <Trouble of={joining.error} />
        <button className="button first" type="submit" disabled={joining.isPending}>
          {say("invitation.accept")}
        </button>
      </form>
    </Page>
  );
}

/** The link by which somebody shows that an address is theirs: to open it is enough. */
export function VerifyPage() {
  const say = useSay();
  const queries = useQueryClient();
  const verifying = useMutation({
    mutationFn: async (proof: string) =>
      must(api.POST("/api/v1/auth/verify-email", { body: { token: proof } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["me"] }),
  });
  const { mutate } = verifying;
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return; // it is good once
    asked.current = true;
    mutate(token());
  }, [mutate]);
  return (
    <Page title={say("verify.title")}>
      {verifying.isSuccess ? (
        <p className="note" role="status">
          {say("verify.done")}
        </p>
      ) : (
        !verifying.error && <p className="soft">{say("verify.looking")}</p>
      )}
      <Trouble of={verifying.error} />
      <p>
        <Link to="/">{say("app.home")}</Link>
      </p>
    </Page>
  );
}
