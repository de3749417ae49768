/** A message being written. */

import { useMutation } from "@tanstack/react-query";
import { Maximize2, Minus, Paperclip, Send, Trash2, X } from "lucide-react";
import { lazy, Suspense, useId, useRef, useState } from "react";

import type { Account } from "../api/client";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { toast } from "../ui/toasts";
import { type Attached, change, close, type Draft, drafts, reopen } from "./drafts";
import { Recipients } from "./Recipients";
import { send, unsend, upload } from "./send";

const Editor = lazy(() => import("./Editor"));

/** Words by which people say that something is attached. */
const ATTACHED =
  /\b(attach(ed|ment|ing)?|enclosed|anbei|angehängt|anhang|ci-joint|adjunt[oa]|bijlage)\b/i;

interface Props {
  draft: Draft;
  accounts: readonly Account[];
}

export function Composer({ draft, accounts }: Props) {
  const say = useSay();
  const id = useId();
  const files = useRef<HTMLInputElement>(null);
  const text = useRef("");
  const [more, setMore] = useState(draft.cc.length + draft.bcc.length > 0);
  const [warned, setWarned] = useState(false);
  const [refused, setRefused] = useState(false);
  const [uploading, setUploading] = useState<Record<string, number>>({});
  const put = (changed: Partial<Draft>) => change(draft.key, changed);
  const failed = (error: unknown) =>
    toast(say("compose.failed", { detail: error instanceof Error ? error.message : String(error) }));
  const accountId = draft.accountId ?? accounts[0]?.id ?? "";

  const takeBack = async (submissionId: string) => {
    try {
      await unsend(submissionId);
      reopen({ ...draft, key: crypto.randomUUID() });
      toast(say("app.undone"));
    } catch (error) {
      failed(error);
    }
  };
  const sending = useMutation({
    mutationFn: () => send(draft, accountId, text.current),
    onSuccess: (submission) => {
      close(draft.key);
      toast(say("compose.sent"), { label: say("app.undo"), run: () => void takeBack(submission.id) });
    },
  });

  const nobody = draft.to.length + draft.cc.length + draft.bcc.length === 0;
  const busy = sending.isPending || Object.keys(uploading).length > 0;
  const trySend = () => {
    setRefused(nobody);
    if (nobody || busy) return;
    if (!warned && !draft.attachments.length && !draft.answers && ATTACHED.test(text.current))
      setWarned(true);
    else sending.mutate();
  };

  const attach = async (chosen: File[]) => {
    for (const file of chosen) {
      try {
        const attached = await upload(file, (done) =>
          setUploading((known) => ({ ...known, [file.name]: done })),
        );
        const now = drafts.get().find((one) => one.key === draft.key);
        put({ attachments: [...(now?.attachments ?? []), attached] });
      } catch (error) {
        failed(error);
      } finally {
        setUploading((known) =>
          Object.fromEntries(Object.entries(known).filter(([name]) => name !== file.name)),
        );
      }
    }
  };
  const detach = (gone: Attached) =>
    put({ attachments: draft.attachments.filter((one) => one.id !== gone.id) });

  const title = draft.subject || say("compose.new");
  if (draft.minimised)
    return (
      <button type="button" className="composer-bar" onClick={() => put({ minimised: false })}>
        <bdi>{title}</bdi>
        <Maximize2 size={15} aria-hidden />
      </button>
    );

  return (
    <section className="composer" aria-label={title}>
      <header className="composer-head">
        <strong>
          <bdi>{title}</bdi>
        </strong>
        <IconButton
          icon={Minus}
          label={say("compose.minimise")}
          title={say("compose.kept")}
          onClick={() => put({ minimised: true })}
        />
        <IconButton icon={Trash2} label={say("compose.discard")} onClick={() => close(draft.key)} />
      </header>
      {/* Ctrl+Enter sends from wherever one writes. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <form
        className="composer-form"
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) trySend();
        }}
        onSubmit={(event) => {
          event.preventDefault();
          trySend();
        }}
      >
        {accounts.length > 1 && (
          <div className="line">
            <label htmlFor={`${id}f`}>{say("compose.from")}</label>
            <select
              id={`${id}f`}
              value={accountId}
              onChange={(event) => put({ accountId: event.target.value })}
            >
              {accounts.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.email}
                </option>
              ))}
            </select>
          </div>
        )}
        <div className="line">
          <Recipients
            label={say("compose.to")}
            chosen={draft.to}
            focus={!draft.to.length}
            onChange={(to) => put({ to })}
          />
          {!more && (
            <button type="button" className="fold" onClick={() => setMore(true)}>
              {say("compose.addCc")}
            </button>
          )}
        </div>
        {more && (
          <>
            <Recipients label={say("compose.cc")} chosen={draft.cc} onChange={(cc) => put({ cc })} />
            <Recipients label={say("compose.bcc")} chosen={draft.bcc} onChange={(bcc) => put({ bcc })} />
          </>
        )}
        <div className="line">
          <label htmlFor={`${id}s`}>{say("compose.subject")}</label>
          <input
            id={`${id}s`}
            value={draft.subject}
            maxLength={998}
            onChange={(event) => put({ subject: event.target.value })}
          />
        </div>
        <Suspense fallback={<div className="ghost ghost-body" />}>
          <Editor
            html={draft.html}
            onChange={(html, plain) => {
              text.current = plain;
              put({ html });
            }}
            onFiles={(chosen) => void attach(chosen)}
          />
        </Suspense>
        {draft.answers?.kind === "forward" && <p className="note">{say("compose.passedOn")}</p>}
        {draft.attachments.length > 0 && (
          <ul className="chips" aria-label={say("read.attachments")}>
            {draft.attachments.map((one) => (
              <li className="chip" key={one.id}>
                <Paperclip size={13} aria-hidden /> <bdi>{one.name}</bdi>
                <button
                  type="button"
                  aria-label={say("compose.remove", { name: one.name })}
                  onClick={() => detach(one)}
                >
                  <X size={13} aria-hidden />
                </button>
              </li>
            ))}
          </ul>
        )}
        {Object.entries(uploading).map(([name, done]) => (
          <progress key={name} className="bar" value={done} aria-label={name} />
        ))}
        {refused && nobody && (
          <p className="note bad" role="alert">
            {say("compose.nobody")}
          </p>
        )}
        {warned && !draft.attachments.length && (
          <p className="note" role="alert">
            {say("compose.attachGuard")}
            <button type="button" className="button" onClick={() => sending.mutate()}>
              {say("compose.sendAnyway")}
            </button>
          </p>
        )}
        {sending.error && (
          <p className="note bad" role="alert">
            {say("compose.failed", { detail: sending.error.message })}
          </p>
        )}
        <footer className="composer-foot">
          <button type="submit" className="button first" disabled={busy} title="Ctrl+Enter">
            <Send size={16} aria-hidden />
            {say(sending.isPending ? "compose.sending" : "compose.send")}
          </button>
          <IconButton
            icon={Paperclip}
            label={say("compose.attach")}
            onClick={() => files.current?.click()}
          />
          <input
            ref={files}
            type="file"
            multiple
            hidden
            aria-label={say("compose.attach")}
            onChange={(event) => {
              void attach([...(event.target.files ?? [])]);
              event.target.value = "";
            }}
          />
        </footer>
      </form>
    </section>
  );
}
