/** Settings: a list of what there is, and one of them beside it. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, ChevronDown } from "lucide-react";
import type { ComponentType } from "react";

import type { Account } from "../api/client";
import { useLive } from "../live/live";
import { meQuery, useSignOut } from "../session/session";
import type { StringId } from "../strings/en";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { KeyMap } from "../ui/KeyboardHelp";
import { NARROW, useMedia } from "../ui/useMedia";
import { useTitle } from "../ui/useTitle";
import { Accounts } from "./Accounts";
import { Exports } from "./Exports";
import { Identities } from "./Identities";
import { Members } from "./Members";
import { Notifications } from "./Notifications";
import { Profile } from "./Profile";
import { Security } from "./Security";
import { Tokens } from "./Tokens";
import { Webhooks } from "./Webhooks";

export interface SectionProps {
  accounts: readonly Account[];
}

function Keyboard() {
  const say = useSay();
  return (
    <section className="card" aria-label={say("keys.title")}>
      <h2>{say("keys.title")}</h2>
      <KeyMap />
    </section>
  );
}

const SECTIONS: [string, StringId, ComponentType<SectionProps>][] = [
  ["profile", "settings.profile", Profile],
  ["accounts", "settings.accounts", Accounts],
  ["identities", "settings.identities", Identities],
  ["notifications", "settings.notifications", Notifications],
  ["keyboard", "keys.title", Keyboard],
  ["security", "settings.security", Security],
  ["tokens", "settings.tokens", Tokens],
  ["exports", "settings.exports", Exports],
  ["webhooks", "settings.webhooks", Webhooks],
  ["members", "settings.members", Members],
];

export function SettingsPage({ accounts, section }: SectionProps & { section: string }) {
  useLive();
  const say = useSay();
  const signOut = useSignOut();
  const { data: me, isPending } = useQuery(meQuery);
  // Who may not look after webhooks is not shown that there are any.
  const mine = SECTIONS.filter(([name]) => name !== "webhooks" || me?.scopes.includes("tenant:admin"));
  const [, title, Shown] = mine.find(([name]) => name === section) ?? SECTIONS[0] ?? [];
  useTitle(say(title ?? "settings.title"));
  const narrow = useMedia(NARROW);
  const list = (
    <>
      <ul>
        {mine.map(([name, title]) => (
          <li key={name}>
            <Link
              to="/settings/$section"
              params={{ section: name }}
              className="tree-entry"
              aria-current={name === section ? "page" : undefined}
            >
              {say(title)}
            </Link>
          </li>
        ))}
      </ul>
      <button type="button" className="button" onClick={() => signOut.mutate()}>
        {say("session.signOut")}
      </button>
    </>
  );
  return (
    <div className="settings">
      <header className="settings-head">
        <h1>{say("settings.title")}</h1>
        <Link to="/mail/$scope" params={{ scope: "inbox" }} search={{}} className="button">
          <ArrowLeft size={16} aria-hidden /> {say("app.home")}
        </Link>
      </header>
      <nav className="settings-nav" aria-label={say("settings.title")}>
        {narrow ? (
          // Where there is room for one thing, that is what is set; the others are a touch away.
          <details key={section}>
            <summary>
              {title && say(title)} <ChevronDown size={18} aria-hidden />
            </summary>
            <div className="settings-others">{list}</div>
          </details>
        ) : isPending ? (
          <div className="ghost ghost-line" />
        ) : (
          list
        )}
      </nav>
      <main className="settings-body">{isPending ? <CardGhost /> : Shown && <Shown accounts={accounts} />}</main>
    </div>
  );
}
