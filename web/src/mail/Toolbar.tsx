/** What a list is called, and what can be done with what is chosen of it. */

import { Archive, FolderInput, Mail, MailOpen, OctagonAlert, RefreshCw, Tag, Trash2, X } from "lucide-react";
import { lazy, Suspense } from "react";

import type { Mailbox, Message } from "../api/client";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { NARROW, useMedia } from "../ui/useMedia";
import type { KnownLabel } from "./labels";
import type { Row } from "./messages";
import type { Selection } from "./selection";

const LabelMenu = lazy(async () => ({ default: (await import("./LabelMenu")).LabelMenu }));
const MoveMenu = lazy(async () => ({ default: (await import("./MoveMenu")).MoveMenu }));

interface Props {
  name: string;
  rows: readonly Row[];
  selection: Selection;
  hasTarget: boolean; // something is chosen, or open
  isJunk: boolean; // what is shown was judged to be junk
  unread: boolean; // something of it was not read
  targets: readonly Mailbox[];
  alone: boolean; // above what is read, with no list beside it
  known: readonly KnownLabel[];
  chosen: () => readonly Message[];
  labelling: boolean; // labels are being chosen
  onLabelling: (open: boolean) => void;
  onLabels: (add: string[], remove: string[]) => void;
  onAct: (kind: "archive" | "delete" | "junk" | "notJunk") => void;
  onMark: (marks: { seen: boolean }) => void;
  onMove: (to: Mailbox) => void;
  onRefresh: () => void;
}

export function Toolbar({ name, rows, selection, hasTarget, isJunk, unread, targets, alone, ...on }: Props) {
  const say = useSay();
  const noLabels = <IconButton icon={Tag} label={say("act.label")} shortcut="l" disabled />;
  const many = selection.ids.size;
  // What can be done with nothing stands there where there is room for it.
  const narrow = useMedia(NARROW);
  const idle = narrow && !hasTarget;
  const count = say("list.selected", { count: many });
  const noMove = <IconButton icon={FolderInput} label={say("act.move")} disabled />;
  return (
    <div className="tools" role="toolbar" aria-label={name}>
      {alone ? null : many > 0 ? (
        <>
          <IconButton icon={X} label={say("list.clear")} shortcut="Esc" onClick={selection.clear} />
          {selection.everything ? (
            <span>{say("list.everything")}</span>
          ) : narrow ? (
            <>
              <strong aria-hidden>{many}</strong>
              <span className="unseen">{count}</span>
            </>
          ) : (
            <span>{count}</span>
          )}
          {!selection.everything && (
            <button
              type="button"
              className="link small"
              onClick={many < rows.length ? () => selection.choose(rows) : selection.chooseEverything}
            >
              {say(many < rows.length ? "list.selectShown" : "list.selectEverything")}
            </button>
          )}
        </>
      ) : (
        <>
          <h1 className="tools-name">
            <bdi>{name}</bdi>
          </h1>
          <IconButton icon={RefreshCw} label={say("list.refresh")} onClick={on.onRefresh} />
        </>
      )}
      <span className="tools-space" />
      {!idle && (
        <>
          <IconButton
            icon={Archive}
            label={say("act.archive")}
            shortcut="e"
            disabled={!hasTarget}
            onClick={() => on.onAct("archive")}
          />
          <IconButton
            icon={Trash2}
            label={say("act.delete")}
            shortcut="#"
            disabled={!hasTarget}
            onClick={() => on.onAct("delete")}
          />
          <IconButton
            icon={OctagonAlert}
            label={say(isJunk ? "act.notJunk" : "act.junk")}
            shortcut="!"
            disabled={!hasTarget}
            onClick={() => on.onAct(isJunk ? "notJunk" : "junk")}
          />
          <IconButton
            icon={unread ? MailOpen : Mail}
            label={say(unread ? "act.read" : "act.unread")}
            shortcut="m"
            disabled={!hasTarget}
            onClick={() => on.onMark({ seen: unread })}
          />
          <Suspense fallback={noLabels}>
            {hasTarget ? (
              <LabelMenu
                open={on.labelling}
                onOpen={on.onLabelling}
                chosen={on.chosen}
                known={on.known}
                onLabels={on.onLabels}
              />
            ) : (
              noLabels
            )}
          </Suspense>
          <Suspense fallback={noMove}>
            {targets.length ? <MoveMenu targets={targets} onMove={on.onMove} /> : noMove}
          </Suspense>
        </>
      )}
    </div>
  );
}
