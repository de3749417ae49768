/** The mail: mailboxes, a list, and what is read, side by side as far as there is room. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, FilePen, MailOpen, Menu, PenLine, Settings } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";

import { api, type Account, type Mailbox, type Message, must } from "../api/client";
import { ComposerDock } from "../compose/ComposerDock";
import { compose } from "../compose/drafts";
import { SendingTrouble } from "../compose/SendingTrouble";
import { reached, useLive } from "../live/live";
import { SearchBox } from "../search/SearchBox";
import { savedQuery } from "../search/searches";
import { Understood } from "../search/Understood";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { KeyboardHelp } from "../ui/KeyboardHelp";
import { useShortcuts } from "../ui/shortcuts";
import { useStore } from "../ui/store";
import { undoNewest } from "../ui/toasts";
import { NARROW, useMedia } from "../ui/useMedia";
import { useTitle } from "../ui/useTitle";
import { type Done, useChange, useChangeEverything } from "./changes";
import { everythingIn } from "./everything";
import { type KnownLabel, labelsQuery } from "./labels";
import { MailboxTree } from "./MailboxTree";
import { MessageList } from "./MessageList";
import { inOrder, mailboxesQuery } from "./mailboxes";
import { isFlagged, type List, messageQuery, messagesOf, rowOf, type Scope } from "./messages";
import { nameOf, type Place, placesOf, scopeOf, unreadInInboxes } from "./places";
import { ReaderGhost } from "./ReaderGhost";
import { useSelection } from "./selection";
import { Toolbar } from "./Toolbar";
import { useRows } from "./useRows";

const SAVED = "sch_";
const NONE: Mailbox[] = [];
const NO_LABELS: KnownLabel[] = [];

// Lists come first; what they are read with comes while they are looked at.
const readingRoom = () => import("./Conversations");
const Conversations = lazy(async () => ({ default: (await readingRoom()).Conversations }));

interface Props {
  accounts: readonly Account[];
  scopeName: string;
  query: string | undefined;
  messageId: string | undefined;
}

export function MailPage({ accounts, scopeName, query, messageId }: Props) {
  useLive();
  const isReached = useStore(reached);
  const say = useSay();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const change = useChange();
  const changeEverything = useChangeEverything();
  const narrow = useMedia(NARROW);
  const selection = useSelection();
  const [treeOpen, setTreeOpen] = useState(false);
  const [help, setHelp] = useState(false);
  const [labelling, setLabelling] = useState(false);
  const { data: mailboxes = NONE } = useQuery(mailboxesQuery);

  const { data: savedSearches } = useQuery(savedQuery);
  const { data: known = NO_LABELS } = useQuery(labelsQuery);
  const saved = query ? undefined : savedSearches?.find((one) => one.id === scopeName);
  const sought = query ?? saved?.q;
  const scope = useMemo<Scope | null>(
    () =>
      !query && scopeName.startsWith(SAVED) && !savedSearches
        ? null // not known yet what it looks for
        : scopeOf(scopeName, query, saved),
    [query, scopeName, saved, savedSearches],
  );
  const list = useRows(scope);
  // What was chosen of one list is not chosen of another.
  const place = `${scopeName} ${query ?? ""}`;
  const [chosenIn, setChosenIn] = useState(place);
  if (chosenIn !== place) {
    setChosenIn(place);
    selection.clear();
  }
  const { rows } = list;
  const own = useMemo(
    () => new Set(accounts.map((one) => one.email.toLowerCase())),
    [accounts],
  );

  const { role, name } = query
    ? { role: null, name: say("search.results") }
    : nameOf(scopeName, accounts, mailboxes, saved, say);

  const places = useMemo(
    () => accounts.flatMap((one) => placesOf(one.id, mailboxes, known, say)),
    [accounts, mailboxes, known, say],
  );
  useTitle(name, unreadInInboxes(places));

  const openAt = useMemo(() => rowOf(rows, messageId), [rows, messageId]);
  const search = query ? { q: query } : {};
  const go = (at: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
    if (row)
      void navigate({
        to: "/mail/$scope/$messageId",
        params: { scope: scopeName, messageId: row.message.id },
        search,
      });
  };
  const back = () => void navigate({ to: "/mail/$scope", params: { scope: scopeName }, search });

  /** What is chosen, or else what is open. */
  const chosen = (): Message[] => {
    if (selection.ids.size)
      return rows.filter((row) => selection.ids.has(row.message.id)).flatMap(messagesOf);
    const row = rows[openAt];
    return row ? messagesOf(row) : [];
  };
  const carryOut = (done: Done) => {
    const everything = selection.everything ? everythingIn(scope, mailboxes, accounts, known) : null;
    const messages = everything ? rows.flatMap(messagesOf) : chosen();
    if (done.kind !== "marks" && done.kind !== "labels") leave(messages);
    if (everything) changeEverything(everything, messages, done);
    else change(messages, done);
  };
  const act = (kind: "archive" | "delete" | "junk" | "notJunk") => carryOut({ kind });
  const move = (to: Mailbox) => carryOut({ kind: "move", mailbox: to });
  /** What goes away is left for the next in the list. */
  const leave = (messages: readonly Message[]) => {
    selection.clear();
    if (!messageId || !messages.some((one) => one.id === messageId)) return;
    const next = rows[openAt + 1] ?? rows[openAt - 1];
    if (next && !narrow)
      void navigate({
        to: "/mail/$scope/$messageId",
        params: { scope: scopeName, messageId: next.message.id },
        search,
      });
    else back();
  };
  const mark = (marks: { seen?: boolean; flagged?: boolean }) => carryOut({ kind: "marks", ...marks });

  const putById = (ids: readonly string[], { mailbox: to, label }: Place) => {
    const wanted = new Set(ids);
    const found = new Map<string, Message>();
    for (const [, cached] of queries.getQueriesData<List>({ queryKey: ["messages"] }))
      for (const page of cached?.pages ?? [])
        for (const one of page.items) if (wanted.has(one.id)) found.set(one.id, one);
    const messages = [...found.values()];
    if (to) {
      leave(messages);
      change(messages, { kind: "move", mailbox: to });
    } else if (label) {
      change(messages, { kind: "labels", add: [label], remove: [] });
    }
  };
  const dropped = useRef(putById);
  useEffect(() => {
    dropped.current = putById;
  });
  const onDropped = useCallback((ids: string[], to: Place) => dropped.current(ids, to), []);
  const { clear } = selection;
  const onChosen = useCallback(() => {
    setTreeOpen(false);
    clear();
  }, [clear]);
  useEffect(() => {
    if (!list.loading) atLeisure(() => void readingRoom());
  }, [list.loading]);

  const opened = messageId ? queries.getQueryData(messageQuery(messageId, false).queryKey) : undefined;
  useShortcuts({
    j: () => go(openAt + 1),
    k: () => go(openAt < 0 ? 0 : openAt - 1),
    o: () => go(openAt < 0 ? 0 : openAt),
    u: back,
    x: () => {
      const row = rows[openAt];
      if (row) selection.toggle(row, rows);
    },
    e: () => act("archive"),
    "#": () => act("delete"),
    Delete: () => act("delete"),
    "!": () => act(role === "junk" ? "notJunk" : "junk"),
    s: () => mark({ flagged: !chosen().some(isFlagged) }),
    m: () => mark({ seen: chosen().some((one) => one.unread) }),
    l: () => setLabelling(true),
    z: undoNewest,
    c: () => compose({ kind: "new" }),
    r: () => opened && compose({ kind: "reply", to: opened }),
    a: () => opened && compose({ kind: "replyAll", to: opened }),
    f: () => opened && compose({ kind: "forward", of: opened }),
    "/": () => document.getElementById("search")?.focus(),
    "g i": () => void navigate({ to: "/mail/$scope", params: { scope: "inbox" }, search: {} }),
    "g t": () => {
      const sent = places.find((one) => one.role === "sent");
      if (sent) void navigate({ to: "/mail/$scope", params: { scope: sent.scopeName }, search: {} });
    },
    "?": () => setHelp(true),
    "* a": () => selection.choose(rows),
    "* n": selection.clear,
    Escape: selection.clear,
  });

  const many = selection.ids.size;
  const hasTarget = many > 0 || openAt >= 0;
  const unread = chosen().some((one) => one.unread);
  const accountsChosen = new Set(chosen().map((one) => one.account_id));
  const [ofAccount] = accountsChosen.size === 1 ? accountsChosen : [];
  const targets = useMemo(
    () => inOrder(mailboxes.filter((one) => one.account_id === ofAccount && one.selectable)),
    [mailboxes, ofAccount],
  );
  const reading = messageId !== undefined;
  const [hasRead, setHasRead] = useState(reading);
  if (reading && !hasRead) setHasRead(true);

  // Where there is room for one pane only, what is done with a message stands above the message.
  const alone = narrow && reading;
  const tools = (
    <Toolbar
      name={name}
      rows={rows}
      selection={selection}
      hasTarget={hasTarget}
      isJunk={role === "junk"}
      unread={unread}
      targets={targets}
      onAct={act}
      onMark={mark}
      onMove={move}
      chosen={chosen}
      known={known}
      labelling={labelling}
      onLabelling={setLabelling}
      onLabels={(add, remove) => carryOut({ kind: "labels", add, remove })}
      alone={alone}
      onRefresh={() => {
        list.again();
        void checkAll(accounts);
      }}
    />
  );

  return (
    <div className="mail" data-reading={reading || undefined} data-tree={treeOpen || undefined}>
      <a className="skip" href="#messages">
        {say("app.skip")}
      </a>
      <header className="top">
        <IconButton
          icon={Menu}
          label={say("app.menu")}
          aria-expanded={treeOpen}
          onClick={() => setTreeOpen(!treeOpen)}
        />
        <strong className="top-name">{say("app.name")}</strong>
        <SearchBox query={query ?? ""} scopeName={scopeName} />
        <IconButton
          icon={Settings}
          label={say("settings.title")}
          onClick={() => void navigate({ to: "/settings" })}
        />
      </header>
      <aside className="side">
        <button type="button" className="button first compose" onClick={() => compose({ kind: "new" })}>
          <PenLine size={17} aria-hidden /> {say("compose.new")}
        </button>
        <Link to="/drafts" className="tree-entry">
          <FilePen size={17} aria-hidden /> {say("drafts.title")}
        </Link>
        <MailboxTree
          accounts={accounts}
          current={query ? "" : scopeName}
          known={known}
          onPut={onDropped}
          onChosen={onChosen}
        />
      </aside>
      <main className="middle" id="messages">
        {!alone && tools}
        {!isReached && (
          <p className="note" role="status">
            {say("app.offline")}
          </p>
        )}
        <States accounts={accounts} />
        {sought && (
          <Understood
            query={sought}
            saved={saved}
            onQuery={(q) =>
              void navigate({ to: "/mail/$scope", params: { scope: scopeName }, search: { q } })
            }
          />
        )}
        <SendingTrouble />
        <MessageList
          list={list}
          name={name}
          scopeName={scopeName}
          query={query}
          sought={sought}
          toPeople={role === "sent" || role === "drafts"}
          empty={say(
            sought ? "list.empty.search" : role === "inbox" ? "list.empty.inbox" : "list.empty.other",
          )}
          openId={messageId}
          selection={selection}
        />
      </main>
      <section className="reading" aria-label={say("read.pane")} hidden={narrow && !reading}>
        {alone && (
          <div className="reading-bar">
            <IconButton icon={ArrowLeft} label={say("read.back")} shortcut="u" onClick={back} />
            {tools}
          </div>
        )}
        {!reading && (
          <div className="empty soft">
            <MailOpen size={40} strokeWidth={1} aria-hidden />
            <p>{say("read.none")}</p>
          </div>
        )}
        {hasRead && (
          <Suspense fallback={<ReaderGhost />}>
            <Conversations messageId={messageId} own={own} />
          </Suspense>
        )}
      </section>
      {narrow && !reading && (
        <button type="button" className="button first compose-here" onClick={() => compose({ kind: "new" })}>
          <PenLine size={20} aria-hidden /> <span className="unseen">{say("compose.new")}</span>
        </button>
      )}
      <ComposerDock accounts={accounts} />
      <KeyboardHelp open={help} onClose={() => setHelp(false)} />
    </div>
  );
}

/** When the page has nothing else to do. */
function atLeisure(run: () => void): void {
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- not every browser has it
  if (window.requestIdleCallback) window.requestIdleCallback(run);
  else window.setTimeout(run, 500);
}

async function checkAll(accounts: readonly Account[]): Promise<void> {
  for (const account of accounts)
    await must(
      api.POST("/api/v1/accounts/{account_id}:check", {
        params: { path: { account_id: account.id } },
      }),
    );
}

/** What is wrong with an account, in its server's words. */
function States({ accounts }: { accounts: readonly Account[] }) {
  const say = useSay();
  const ill = accounts.filter((one) => ["auth_failed", "reauth_required", "unreachable", "degraded"].includes(one.state));
  return ill.map((one) => (
    <p className="note bad" key={one.id} role="alert">
      <span>
        <strong>{one.name || one.email}</strong>: {say(`state.${one.state}`)}.{" "}
        {one.server_said && say("state.said", { words: one.server_said })}
      </span>
      <a className="button" href="/settings/accounts">
        {say("state.fix")}
      </a>
    </p>
  ));
}
