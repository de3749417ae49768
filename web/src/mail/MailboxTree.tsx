/** All mailboxes of all accounts, with what is unread in them. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import {
  Archive,
  File,
  Folder,
  Inbox,
  Layers,
  type LucideIcon,
  Mails,
  OctagonAlert,
  Search,
  Send,
  Star,
  Tag,
  Trash2,
} from "lucide-react";
import { type DragEvent, memo, useState } from "react";
import { FormattedNumber } from "react-intl";

import type { Account, MailboxRole } from "../api/client";
import { savedQuery } from "../search/searches";
import { useSay } from "../strings/use";
import { DRAGGED } from "./MessageRow";
import { type KnownLabel, labelsQuery } from "./labels";
import { mailboxesQuery } from "./mailboxes";
import { type Place, placesOf, unreadInInboxes } from "./places";

const PICTURES: Partial<Record<MailboxRole, LucideIcon>> = {
  inbox: Inbox,
  drafts: File,
  sent: Send,
  archive: Archive,
  all: Layers,
  junk: OctagonAlert,
  trash: Trash2,
  flagged: Star,
};

interface Props {
  accounts: readonly Account[];
  current: string;
  known: readonly KnownLabel[];
  onPut: (ids: string[], place: Place) => void;
  onChosen: () => void;
}

export const MailboxTree = memo(function MailboxTree({ accounts, current, known, onPut, onChosen }: Props) {
  const say = useSay();
  const { data: mailboxes = [], isPending } = useQuery(mailboxesQuery);
  const { data: saved = [], isPending: isSavedPending } = useQuery(savedQuery);
  const { isPending: isLabelsPending } = useQuery(labelsQuery);
  if (isPending || isSavedPending || isLabelsPending) return <TreeGhost />;
  const places = new Map(accounts.map((one) => [one.id, placesOf(one.id, mailboxes, known, say)]));
  const unread = unreadInInboxes([...places.values()].flat());
  return (
    <nav className="tree" aria-label={say("app.menu")}>
      {accounts.length > 1 && (
        <ul>
          <Entry
            scope="inbox"
            picture={Mails}
            name={say("box.allInboxes")}
            unread={unread}
            current={current === "inbox"}
            onChosen={onChosen}
          />
        </ul>
      )}
      {saved.length > 0 && (
        <section aria-label={say("search.saved")}>
          <h2 className="tree-account">{say("search.saved")}</h2>
          <ul>
            {saved.map((one) => (
              <Entry
                key={one.id}
                scope={one.id}
                picture={Search}
                name={one.name}
                unread={0}
                current={current === one.id}
                onChosen={onChosen}
              />
            ))}
          </ul>
        </section>
      )}
      {accounts.map((account) => (
        <section key={account.id} aria-label={account.name || account.email}>
          <h2 className="tree-account">
            <bdi>{account.name || account.email}</bdi>
            {account.state !== "live" && account.state !== "syncing" && (
              <span className="tree-state" title={account.server_said ?? undefined}>
                {say(`state.${account.state}`)}
              </span>
            )}
          </h2>
          {account.progress && account.progress.done < account.progress.total && (
            <p className="tree-progress small soft">
              <progress
                className="bar"
                max={account.progress.total}
                value={account.progress.done}
                aria-label={say("state.syncing")}
              />
              {say("connect.progress", {
                done: account.progress.done,
                total: account.progress.total,
              })}
            </p>
          )}
          <ul>
            {places.get(account.id)?.map((place) => {
              const isOnlyInbox = accounts.length === 1 && place.role === "inbox";
              return place.mailbox?.selectable === false ? (
                <li key={place.scopeName} className="tree-name soft" data-deep={place.deep}>
                  {place.name}
                </li>
              ) : (
                <Entry
                  key={place.scopeName}
                  scope={isOnlyInbox ? "inbox" : place.scopeName}
                  picture={(place.role && PICTURES[place.role]) || (place.label ? Tag : Folder)}
                  name={place.name}
                  unread={place.unread}
                  deep={place.deep}
                  current={current === place.scopeName || (isOnlyInbox && current === "inbox")}
                  onDrop={(ids) => onPut(ids, place)}
                  onChosen={onChosen}
                />
              );
            })}
          </ul>
        </section>
      ))}
    </nav>
  );
});

/** Where they will stand. */
function TreeGhost() {
  const say = useSay();
  return (
    <div className="tree" role="status" aria-label={say("read.loading")}>
      {Array.from({ length: 6 }, (_, at) => (
        <div key={at} className="ghost tree-ghost" />
      ))}
    </div>
  );
}

interface EntryProps {
  scope: string;
  picture: LucideIcon;
  name: string;
  unread: number;
  deep?: number;
  current: boolean;
  onDrop?: (ids: string[]) => void;
  onChosen: () => void;
}

function Entry({ scope, picture: Picture, name, unread, deep = 0, current, onDrop, onChosen }: EntryProps) {
  const say = useSay();
  const [over, setOver] = useState(false);
  const isOurs = (event: DragEvent) => onDrop && event.dataTransfer.types.includes(DRAGGED);
  return (
    <li>
      <Link
        to="/mail/$scope"
        params={{ scope }}
        search={{}}
        className="tree-entry"
        aria-current={current ? "page" : undefined}
        data-over={over || undefined}
        style={{ paddingInlineStart: `${0.75 + Math.min(deep, 6) * 0.9}rem` }}
        onClick={onChosen}
        onDragOver={(event) => {
          if (!isOurs(event)) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          setOver(false);
          if (!isOurs(event)) return;
          event.preventDefault();
          onDrop?.(JSON.parse(event.dataTransfer.getData(DRAGGED)) as string[]);
        }}
      >
        <Picture size={17} aria-hidden />
        <bdi className="tree-label">{name}</bdi>
        {unread > 0 && (
          <span className="tree-unread" aria-label={say("box.unread", { count: unread })}>
            <FormattedNumber value={unread} />
          </span>
        )}
      </Link>
    </li>
  );
}
