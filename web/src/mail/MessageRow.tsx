/** A conversation in a list. */

import { Paperclip } from "lucide-react";
import { type DragEvent, memo, type MouseEvent } from "react";

import type { Message } from "../api/client";
import { Snippet } from "../search/Snippet";
import { useSay } from "../strings/use";
import { labelsOf, shownLabel } from "./labels";
import { isFlagged, messagesOf, type Row } from "./messages";
import { nameOf, shortName } from "./people";
import { When } from "./When";

export const DRAGGED = "application/x-postbus-messages";

const MOST_LABELS = 3; // of a row: its subject is to be read, too

interface Props {
  row: Row;
  address: string;
  toPeople: boolean; // the list of what one sent shows to whom
  open: boolean;
  selected: boolean;
  acts: RowActs;
}

/** What can be done with any row; the same as long as the list is there. */
export interface RowActs {
  read: (row: Row) => void;
  select: (row: Row, toHere: boolean) => void;
  flag: (row: Row, flagged: boolean) => void;
  dragged: (row: Row) => string[];
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { row, open, selected, acts } = props;
  const say = useSay();
  const { message } = row;
  const all = messagesOf(row);
  const unread = all.some((one) => one.unread);
  const flagged = all.some(isFlagged);
  const attachments = all.reduce((sum, one) => sum + one.attachment_count, 0);
  const labels = labelsOf(message).slice(0, MOST_LABELS);
  const subject = message.subject || say("list.noSubject");
  const people = props.toPeople
    ? say("list.to", { names: message.to.map(shortName).join(", ") || say("list.nobody") })
    : whoSpeaks(all) || say("list.nobody");

  const drag = (event: DragEvent) => {
    event.dataTransfer.setData(DRAGGED, JSON.stringify(acts.dragged(row)));
    event.dataTransfer.effectAllowed = "move";
  };
  const click = (event: MouseEvent) => {
    if (event.altKey) return; // the browser's own
    event.preventDefault();
    if (event.shiftKey || event.ctrlKey || event.metaKey) acts.select(row, event.shiftKey);
    else acts.read(row);
  };

  return (
    <div
      className="row"
      data-unread={unread || undefined}
      data-open={open || undefined}
      data-selected={selected || undefined}
      draggable
      onDragStart={drag}
    >
      <input
        type="checkbox"
        className="row-check"
        checked={selected}
        aria-label={say("list.select", { subject })}
        onChange={() => undefined}
        onClick={(event) => acts.select(row, event.shiftKey)}
      />
      <a
        href={props.address}
        className="row-link"
        aria-current={open ? "true" : undefined}
        onClick={click}
      >
        <span className="row-who">
          {unread && <span className="unseen">{say("list.unread")}: </span>}
          <bdi>{people}</bdi>
          {all.length > 1 && (
            <span className="row-count" title={say("list.inThread", { count: all.length })}>
              {all.length}
            </span>
          )}
        </span>
        <span className="row-when">
          {attachments > 0 && (
            <>
              <Paperclip size={14} aria-hidden />
              <span className="unseen">{say("list.attachments", { count: attachments })}</span>
            </>
          )}
          <When at={message.received_at} />
        </span>
        <span className="row-subject">
          {labels.map((one) => (
            <bdi className="row-label" key={one.kind + one.name}>
              {shownLabel(one, say)}
            </bdi>
          ))}
          <bdi>{subject}</bdi>
        </span>
        <span className="row-preview">
          <bdi>{message.snippet_html ? <Snippet html={message.snippet_html} /> : message.preview}</bdi>
        </span>
      </a>
      <Star flagged={flagged} onFlag={(wanted) => acts.flag(row, wanted)} />
    </div>
  );
});

/** A star without what other icons bring along: there is one in each row. */
function Star({ flagged, onFlag }: { flagged: boolean; onFlag: (flagged: boolean) => void }) {
  const say = useSay();
  const label = say(flagged ? "act.unflag" : "act.flag");
  return (
    <button
      type="button"
      className="icon row-star"
      aria-label={label}
      aria-pressed={flagged}
      title={`${label} (s)`}
      onClick={() => onFlag(!flagged)}
    >
      <svg viewBox="0 0 24 24" aria-hidden>
        <path d="M12 2.6l2.9 5.9 6.5.95-4.7 4.58 1.1 6.47L12 17.45 6.2 20.5l1.1-6.47L2.6 9.45l6.5-.95z" />
      </svg>
    </button>
  );
}

/** Everybody who wrote, oldest first, each once. */
function whoSpeaks(messages: readonly Message[]): string {
  if (messages.length === 1) return nameOf(messages[0]?.from) ?? "";
  const seen = new Map<string, string>();
  for (const one of [...messages].reverse())
    if (one.from && !seen.has(one.from.email)) seen.set(one.from.email, shortName(one.from));
  return [...seen.values()].join(", ");
}
