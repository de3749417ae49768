import { Link, useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useId } from "react";

import { ApiProblem } from "../api/problem";
import { useSay } from "../strings/use";
import { useTitle } from "../ui/useTitle";
import { useSignIn, useSignUp } from "./session";

export function SignInPage({ isNew }: { isNew: boolean }) {
  const say = useSay();
  useTitle(say(isNew ? "session.signUp" : "session.signIn"));
  const navigate = useNavigate();
  const signIn = useSignIn();
  const signUp = useSignUp();
  const id = useId();
  const error = isNew ? signUp.error : signIn.error;
  const busy = signIn.isPending || signUp.isPending;
  const wrong = (pointer: string) =>
    error instanceof ApiProblem ? error.field(pointer) : undefined;

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const of = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    const given = { email: of("email"), password: of("password") };
    const then = { onSuccess: () => void navigate({ to: "/" }) };
    if (isNew) signUp.mutate({ ...given, name: of("name") }, then);
    else signIn.mutate(given, then);
  };

  return (
    <main className="page door">
      <div>
        <p className="door-name">{say("app.name")}</p>
        <h1>{say(isNew ? "session.signUp" : "session.signIn")}</h1>
        <p className="soft">{say("session.welcome")}</p>
      </div>
      <form className="card" onSubmit={submit} noValidate>
        {isNew && (
          <div className="field">
            <label htmlFor={`${id}n`}>{say("session.name")}</label>
            <input id={`${id}n`} name="name" autoComplete="name" />
          </div>
        )}
        <div className="field">
          <label htmlFor={`${id}e`}>{say("session.email")}</label>
          <input
            id={`${id}e`}
            name="email"
            type="email"
            autoComplete="username"
            required
            aria-invalid={wrong("/email") !== undefined}
          />
          {wrong("/email") && <span className="wrong">{wrong("/email")}</span>}
        </div>
        <div className="field">
          <label htmlFor={`${id}p`}>{say("session.password")}</label>
          <input
            id={`${id}p`}
            name="password"
            type="password"
            autoComplete={isNew ? "new-password" : "current-password"}
            required
            aria-invalid={wrong("/password") !== undefined}
          />
          {isNew && <span className="small soft">{say("session.passwordHint")}</span>}
          {wrong("/password") && <span className="wrong">{wrong("/password")}</span>}
        </div>
        {error && (
          <p className="note bad" role="alert">
            {error.message}
          </p>
        )}
        <button className="button first" type="submit" disabled={busy}>
          {say(isNew ? "session.signUp" : "session.signIn")}
        </button>
        {!isNew && <Link to="/forgot">{say("session.forgot")}</Link>}
      </form>
      <p>
        {say(isNew ? "session.hasAccount" : "session.noAccount")}{" "}
        <Link to={isNew ? "/sign-in" : "/sign-up"}>
          {say(isNew ? "session.signIn" : "session.signUp")}
        </Link>
      </p>
    </main>
  );
}
