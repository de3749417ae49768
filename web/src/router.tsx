/** Addresses of the webmail. */

import { useQuery } from "@tanstack/react-query";
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
  Outlet,
  useParams,
} from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { Account } from "./api/client";
import { isUnverified } from "./api/problem";
import { MailPage } from "./mail/MailPage";
import { preferencesQuery } from "./session/preferences";
import { accountsQuery } from "./session/session";
import { useSay } from "./strings/use";
import { Toasts } from "./ui/toasts";

const UnverifiedPage = lazyRouteComponent(
  () => import("./session/UnverifiedPage"),
  "UnverifiedPage",
);

/** For who is signed in; who is not, signs in first. */
function WithAccounts({ children }: { children: (accounts: Account[]) => ReactNode }) {
  const say = useSay();
  const { data, error, refetch } = useQuery(accountsQuery);
  useQuery({ ...preferencesQuery, enabled: Boolean(data) });
  if (isUnverified(error)) return <UnverifiedPage />;
  if (error)
    return (
      <main className="page">
        <p className="note bad" role="alert">
          {say("app.failed", { detail: error.message })}
          <button type="button" className="button" onClick={() => void refetch()}>
            {say("app.retry")}
          </button>
        </p>
      </main>
    );
  if (data === undefined) return <main aria-busy="true" />;
  if (data === null) return <Navigate to="/sign-in" />;
  return children(data);
}

function Broken({ error }: { error: unknown }) {
  const say = useSay();
  return (
    <main className="page">
      <p className="note bad" role="alert">
        {say("app.failed", { detail: error instanceof Error ? error.message : String(error) })}
        <button type="button" className="button" onClick={() => window.location.reload()}>
          {say("app.retry")}
        </button>
      </p>
    </main>
  );
}

function NotFound() {
  const say = useSay();
  return (
    <main className="page">
      <h1>{say("app.notFound")}</h1>
      <a className="button" href="/">
        {say("app.home")}
      </a>
    </main>
  );
}

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
});

type LinkPages = typeof import("./session/LinkPages");

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <Navigate to="/mail/$scope" params={{ scope: "inbox" }} search={{}} />,
});

// What is seen once in a while comes when it is asked for; the mail comes at once.
const SignInPage = lazyRouteComponent(() => import("./session/SignInPage"), "SignInPage");
const ConnectPage = lazyRouteComponent(() => import("./accounts/ConnectPage"), "ConnectPage");

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  component: () => <SignInPage isNew={false} />,
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/sign-up",
  component: () => <SignInPage isNew />,
});

const linkPage = (path: "/forgot" | "/reset" | "/invitation" | "/verify", name: keyof LinkPages) =>
  createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(() => import("./session/LinkPages"), name),
  });

const connect = createRoute({
  getParentRoute: () => root,
  path: "/connect",
  component: () => <WithAccounts>{() => <ConnectPage />}</WithAccounts>,
});

const DraftsPage = lazyRouteComponent(() => import("./compose/DraftsPage"), "DraftsPage");

const draftsRoute = createRoute({
  getParentRoute: () => root,
  path: "/drafts",
  component: () => <WithAccounts>{(accounts) => <DraftsPage accounts={accounts} />}</WithAccounts>,
});

const SettingsPage = lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage");

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: () => <Navigate to="/settings/$section" params={{ section: "profile" }} replace />,
});

const settingsSection = createRoute({
  getParentRoute: () => root,
  path: "/settings/$section",
  component: function Settings() {
    const { section } = settingsSection.useParams();
    return (
      <WithAccounts>{(accounts) => <SettingsPage accounts={accounts} section={section} />}</WithAccounts>
    );
  },
});

const asked = (search: Record<string, unknown>): { q?: string } =>
  typeof search.q === "string" && search.q ? { q: search.q } : {};

const mail = createRoute({
  getParentRoute: () => root,
  path: "/mail/$scope",
  validateSearch: asked,
  component: function Mail() {
    const { scope } = mail.useParams();
    const { q } = mail.useSearch();
    // The same page with and without a message: who types a search goes on typing.
    const { messageId } = useParams({ strict: false });
    return <Mailing scope={scope} query={q} messageId={messageId} />;
  },
});

const message = createRoute({ getParentRoute: () => mail, path: "$messageId" });

function Mailing(props: { scope: string; query: string | undefined; messageId: string | undefined }) {
  return (
    <WithAccounts>
      {(accounts) =>
        accounts.length ? (
          <MailPage accounts={accounts} scopeName={props.scope} query={props.query} messageId={props.messageId} />
        ) : (
          <Navigate to="/connect" />
        )
      }
    </WithAccounts>
  );
}

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    signIn,
    signUp,
    linkPage("/forgot", "ForgotPage"),
    linkPage("/reset", "ResetPage"),
    linkPage("/invitation", "InvitationPage"),
    linkPage("/verify", "VerifyPage"),
    connect,
    draftsRoute,
    settings,
    settingsSection,
    mail.addChildren([message]),
  ]),
  defaultPreload: false,
  defaultErrorComponent: Broken,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
