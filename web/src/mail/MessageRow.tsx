/** A conversation in a list. */

import { Link } from "@tanstack/react-router";
import { Paperclip, Star } from "lucide-react";
import { type DragEvent, memo } from "react";

import type { Message } from "../api/client";
import { Snippet } from "../search/Snippet";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { isFlagged, messagesOf, type Row } from "./messages";
import { nameOf, shortName } from "./people";
import { When } from "./When";

export const DRAGGED = "application/x-postbus-messages";

interface Props {
  row: Row;
  scopeName: string;
  toPeople: boolean; // the list of what one sent shows to whom
  query: string | undefined;
  open: boolean;
  selected: boolean;
  onSelect: (toHere: boolean) => void;
  onFlag: (flagged: boolean) => void;
  dragged: () => Message[];
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { row, open, selected } = props;
  const say = useSay();
  const { message } = row;
  const all = messagesOf(row);
  const unread = all.some((one) => one.unread);
  const flagged = all.some(isFlagged);
  const attachments = all.reduce((sum, one) => sum + one.attachment_count, 0);
  const subject = message.subject || say("list.noSubject");
  const people = props.toPeople
    ? say("list.to", { names: message.to.map(shortName).join(", ") || say("list.nobody") })
    : whoSpeaks(all) || say("list.nobody");

  const drag = (event: DragEvent) => {
    const messages = props.dragged();
    event.dataTransfer.setData(DRAGGED, JSON.stringify(messages.map((one) => one.id)));
    event.dataTransfer.effectAllowed = "move";
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
        onClick={(event) => props.onSelect(event.shiftKey)}
      />
      <Link
        to="/mail/$scope/$messageId"
        params={{ scope: props.scopeName, messageId: message.id }}
        search={props.query ? { q: props.query } : {}}
        className="row-link"
        aria-current={open ? "true" : undefined}
        onClick={(event) => {
          if (event.shiftKey || event.ctrlKey || event.metaKey) {
            event.preventDefault();
            props.onSelect(event.shiftKey);
          }
        }}
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
          <bdi>{subject}</bdi>
        </span>
        <span className="row-preview">
          <bdi>{message.snippet_html ? <Snippet html={message.snippet_html} /> : message.preview}</bdi>
        </span>
      </Link>
      <IconButton
        icon={Star}
        filled={flagged}
        label={say(flagged ? "act.unflag" : "act.flag")}
        shortcut="s"
        aria-pressed={flagged}
        onClick={() => props.onFlag(!flagged)}
      />
    </div>
  );
});

/** Everybody who wrote, oldest first, each once. */
function whoSpeaks(messages: readonly Message[]): string {
  if (messages.length === 1) return nameOf(messages[0]?.from) ?? "";
  const seen = new Map<string, string>();
  for (const one of [...messages].reverse())
    if (one.from && !seen.has(one.from.email)) seen.set(one.from.email, shortName(one.from));
  return [...seen.values()].join(", ");
}
