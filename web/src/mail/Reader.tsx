/** A conversation, oldest first; what was not yet read stands open. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Forward, Reply, ReplyAll } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState } from "react";

import type { Message } from "../api/client";
import { compose } from "../compose/drafts";
import { preferences } from "../session/preferences";
import { useSay } from "../strings/use";
import { useStore } from "../ui/store";
import { useChange } from "./changes";
import { MessageView } from "./MessageView";
import { listed, messageQuery, threadQuery } from "./messages";
import { nameOf } from "./people";
import { ReaderGhost } from "./ReaderGhost";
import { When } from "./When";

export function Reader({ messageId, own }: { messageId: string; own: ReadonlySet<string> }) {
  const say = useSay();
  const subject = useId();
  const opened = useQuery(messageQuery(messageId, false));
  const queries = useQueryClient();
  // As a list knows it: its conversation is asked for at once, and not after the message.
  const threadId = opened.data?.thread_id ?? listed(queries, messageId)?.thread_id;
  const thread = useQuery({ ...threadQuery(threadId ?? ""), enabled: Boolean(threadId) });
  const messages = useMemo<Message[]>(() => {
    const found = thread.data?.length ? thread.data : opened.data ? [opened.data] : [];
    // One message in several mailboxes is read once.
    const once = new Map(found.map((one) => [one.id, one]));
    return [...once.values()].sort((a, b) => a.received_at.localeCompare(b.received_at));
  }, [thread.data, opened.data]);
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const top = useRef<HTMLHeadingElement>(null);
  const change = useChange();

  // What was not yet read stands open, also once it is read.
  const settled = !opened.isPending && (!threadId || !thread.isPending);
  const unread = settled ? messages.filter((one) => one.unread) : [];
  if (unread.some((one) => !unfolded.has(one.id)))
    setUnfolded(new Set([...unfolded, ...unread.map((one) => one.id)]));
  // It is read when it is opened; what is marked as unread while it is looked at stays so.
  const latest = useRef(unread);
  useEffect(() => {
    latest.current = unread;
  });
  const { mark_read_seconds: patience } = useStore(preferences);
  useEffect(() => {
    if (!settled) return;
    const see = () => change(latest.current, { kind: "marks", seen: true });
    if (!patience) {
      see();
      return;
    }
    const timer = window.setTimeout(see, patience * 1_000);
    return () => window.clearTimeout(timer);
  }, [settled, patience, change]);

  useEffect(() => {
    top.current?.focus({ preventScroll: true });
  }, [messageId]);

  if (opened.error)
    return (
      <div className="empty" role="alert">
        <p>{say("app.failed", { detail: opened.error.message })}</p>
        <button type="button" className="button" onClick={() => void opened.refetch()}>
          {say("app.retry")}
        </button>
      </div>
    );
  if (!opened.data || !settled) return <ReaderGhost />;

  const lastId = messages.at(-1)?.id;
  const isOpen = (one: Message) => one.id === messageId || one.id === lastId || unfolded.has(one.id);

  return (
    <article className="reader" aria-labelledby={subject}>
      <h1 id={subject} className="reader-subject" tabIndex={-1} ref={top}>
        <bdi>{opened.data.subject || say("list.noSubject")}</bdi>
      </h1>
      {messages.map((one) =>
        isOpen(one) ? (
          <MessageView key={one.id} message={one} own={own} />
        ) : (
          <button
            type="button"
            key={one.id}
            className="folded"
            aria-expanded="false"
            onClick={() => setUnfolded((known) => new Set([...known, one.id]))}
          >
            <strong>
              <bdi>{nameOf(one.from) ?? say("list.nobody")}</bdi>
            </strong>
            <span className="folded-preview">
              <bdi>{one.preview}</bdi>
            </span>
            <When at={one.received_at} />
          </button>
        ),
      )}
      <Answers last={messages.at(-1) ?? opened.data} />
    </article>
  );
}

/** Below the last message: what one does when one has read it. */
function Answers({ last }: { last: Message }) {
  const say = useSay();
  const { data: read } = useQuery(messageQuery(last.id, false));
  if (!read) return null;
  const toMany = read.to.length + read.cc.length > 1;
  return (
    <div className="answers">
      <button type="button" className="button" onClick={() => compose({ kind: "reply", to: read })}>
        <Reply size={16} aria-hidden /> {say("act.reply")}
      </button>
      {toMany && (
        <button type="button" className="button" onClick={() => compose({ kind: "replyAll", to: read })}>
          <ReplyAll size={16} aria-hidden /> {say("act.replyAll")}
        </button>
      )}
      <button type="button" className="button" onClick={() => compose({ kind: "forward", of: read })}>
        <Forward size={16} aria-hidden /> {say("act.forward")}
      </button>
    </div>
  );
}
