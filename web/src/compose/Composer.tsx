/** A message being written. */

import { Maximize2, Minus, Paperclip, Trash2, Type, X } from "lucide-react";
import { lazy, Suspense, useCallback, useId, useRef, useState } from "react";
import { FormattedTime } from "react-intl";

import type { Account } from "../api/client";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { Size } from "../ui/Size";
import { useStore } from "../ui/store";
import { toast } from "../ui/toasts";
import { useAttaching } from "./attaching";
import { Differences } from "./Differences";
import { anew, type Draft, type Identity, inPlain, isEmpty, isSaved, lacksFiles } from "./draft";
import { change, close, isKept, open, replace, replaced, write } from "./drafts";
import type { Handle } from "./Editor";
import { From } from "./From";
import { QuotedBelow } from "./QuotedBelow";
import { Recipients } from "./Recipients";
import { discard, holdBack, send, type Standing, standings } from "./saving";
import { SendButtons } from "./SendButtons";

const Editor = lazy(() => import("./Editor"));

interface Props {
  draft: Draft;
  accounts: readonly Account[];
  identities: readonly Identity[];
}

export function Composer({ draft, accounts, identities }: Props) {
  const say = useSay();
  const id = useId();
  const { key } = draft;
  const standing = useStore(standings)[key] ?? null;
  const times = useStore(replaced)[key] ?? 0;
  const handle = useRef<Handle>(null);
  const ready = useCallback((made: Handle) => {
    handle.current = made;
  }, []);
  const chooser = useRef<HTMLInputElement>(null);
  const [more, setMore] = useState(draft.cc.length + draft.bcc.length > 0);
  const [warned, setWarned] = useState(false);
  const [refused, setRefused] = useState(false);
  const put = (written: Partial<Draft>) => write(key, written);
  const files = useAttaching(key, (one) => handle.current?.showPicture(one.contentId ?? "", one.name));

  const nobody = draft.to.length + draft.cc.length + draft.bcc.length === 0;
  const busy = draft.wish !== null || files.coming.length > 0;
  const trySend = (at: Date | null, sure = false) => {
    setRefused(nobody);
    if (nobody || busy) return;
    if (!sure && lacksFiles(draft)) setWarned(true);
    else send(key, at);
  };
  const throwAway = () => {
    discard(draft);
    if (!isEmpty(draft))
      toast(say("compose.discarded"), { label: say("app.undo"), run: () => open(anew(draft)) });
  };

  const title = draft.subject || say("compose.new");
  if (draft.minimised)
    return (
      <button
        type="button"
        className="composer-bar"
        aria-expanded="false"
        onClick={() => change(key, { minimised: false })}
      >
        <bdi>{title}</bdi> <Maximize2 size={15} aria-hidden />
      </button>
    );

  const attached = draft.attachments.filter((one) => draft.plain || one.contentId === null);
  const missing = draft.quoted?.made === false && draft.answers?.kind === "forward";
  return (
    <section
      className="composer"
      aria-label={title}
      onDragOver={(event) => {
        if (event.dataTransfer.types.includes("Files")) event.preventDefault();
      }}
      onDrop={(event) => {
        // What the words did not take.
        if (event.defaultPrevented || !event.dataTransfer.files.length) return;
        event.preventDefault();
        files.attach([...event.dataTransfer.files], false);
      }}
    >
      <header className="composer-head">
        <strong>
          <bdi>{title}</bdi>
        </strong>
        <Stands draft={draft} standing={standing} />
        <IconButton
          icon={Minus}
          label={say("compose.minimise")}
          onClick={() => change(key, { minimised: true })}
        />
        <IconButton
          icon={X}
          label={say("compose.close")}
          // It stays among the drafts; what nothing was written in goes.
          onClick={() => (isEmpty(draft) ? discard(draft) : isSaved(draft) ? close(key) : change(key, { minimised: true }))}
        />
      </header>
      {/* Ctrl+Enter sends from wherever one writes. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <form
        className="composer-form"
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) trySend(null);
        }}
        onSubmit={(event) => {
          event.preventDefault();
          trySend(null);
        }}
      >
        <From draft={draft} accounts={accounts} identities={identities} />
        <div className="line">
          <Recipients
            label={say("compose.to")}
            chosen={draft.to}
            focus={!draft.to.length && !draft.server}
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
        <ListGuard draft={draft} onChange={put} />
        <div className="line">
          <label htmlFor={`${id}s`}>{say("compose.subject")}</label>
          <input
            id={`${id}s`}
            value={draft.subject}
            maxLength={998}
            onChange={(event) => put({ subject: event.target.value })}
          />
        </div>
        {draft.plain ? (
          <textarea
            className="plain-words"
            aria-label={say("compose.body")}
            value={draft.text}
            onChange={(event) => put({ text: event.target.value })}
          />
        ) : (
          <Suspense fallback={<div className="ghost ghost-body" />}>
            <Editor
              key={`${key}${times}`}
              html={draft.html}
              label={say("compose.body")}
              focus={draft.to.length > 0 && !draft.server}
              pictureOf={(contentId) => {
                const found = draft.attachments.find((one) => one.contentId === contentId);
                // What is named after its upload is there, known here or not yet.
                return `/api/v1/uploads/${found?.id ?? contentId}/content`;
              }}
              onChange={(html, text) => put({ html, text })}
              onFiles={files.attach}
              onReady={ready}
            />
          </Suspense>
        )}
        {draft.quoted && <QuotedBelow draft={draft} />}
        {missing && <p className="note">{say("compose.fetching")}</p>}
        {attached.length > 0 && (
          <ul className="chips" aria-label={say("read.attachments")}>
            {attached.map((one) => (
              <li className="chip" key={one.id}>
                <Paperclip size={13} aria-hidden />
                <a href={`/api/v1/uploads/${one.id}/content`} download={one.name}>
                  <bdi>{one.name}</bdi>
                </a>
                {one.size !== null && (
                  <span className="soft">
                    <Size bytes={one.size} />
                  </span>
                )}
                <button
                  type="button"
                  aria-label={say("compose.remove", { name: one.name })}
                  onClick={() => put({ attachments: draft.attachments.filter((other) => other !== one) })}
                >
                  <X size={13} aria-hidden />
                </button>
              </li>
            ))}
          </ul>
        )}
        {files.coming.map((one) => (
          <p key={one.key} className="coming small">
            <bdi>{one.name}</bdi>
            <progress className="bar" value={one.done} aria-label={one.name} />
            <IconButton icon={X} label={say("compose.stop", { name: one.name })} onClick={one.stop} />
          </p>
        ))}
        {refused && nobody && (
          <p className="note bad" role="alert">
            {say("compose.nobody")}
          </p>
        )}
        {warned && lacksFiles(draft) && (
          <p className="note" role="alert">
            {say("compose.attachGuard")}
            <button type="button" className="button" onClick={() => trySend(null, true)}>
              {say("compose.sendAnyway")}
            </button>
          </p>
        )}
        <Differences draft={draft} standing={standing} />
        {draft.wish && standing?.kind === "waiting" && (
          <p className="note" role="alert">
            {say("compose.sentLater")}
            <button type="button" className="button" onClick={() => holdBack(key)}>
              {say("compose.holdBack")}
            </button>
          </p>
        )}
        <footer className="composer-foot">
          <SendButtons busy={busy} sending={draft.wish !== null} onSend={trySend} />
          <IconButton
            icon={Paperclip}
            label={say("compose.attach")}
            onClick={() => chooser.current?.click()}
          />
          <IconButton
            icon={Type}
            label={say("compose.rich")}
            aria-pressed={!draft.plain}
            onClick={() => replace(key, { ...inPlain(draft, !draft.plain), changed: draft.changed + 1 })}
          />
          <span className="tools-space" />
          <IconButton icon={Trash2} label={say("compose.discard")} onClick={throwAway} />
          <input
            ref={chooser}
            type="file"
            multiple
            hidden
            aria-label={say("compose.attach")}
            onChange={(event) => {
              files.attach([...(event.target.files ?? [])], false);
              event.target.value = "";
            }}
          />
        </footer>
      </form>
    </section>
  );
}

/** Whether what is written is safe, and where. */
function Stands({ draft, standing }: { draft: Draft; standing: Standing | null }) {
  const say = useSay();
  const kept = useStore(isKept);
  const [at, setAt] = useState<{ saved: number; when: Date } | null>(null);
  if (draft.server && isSaved(draft) && at?.saved !== draft.saved)
    setAt({ saved: draft.saved, when: new Date() });
  if (isEmpty(draft)) return null;
  if (standing?.kind === "waiting")
    return <span className="small wrong">{say(kept ? "compose.kept" : "compose.notKept")}</span>;
  if (standing && standing.kind !== "saving") return <span className="small wrong">{say("compose.notSaved")}</span>;
  return (
    <span className="small soft">
      {!isSaved(draft) || !draft.server || !at ? (
        say("compose.saving")
      ) : (
        <>
          {say("compose.saved")} <FormattedTime value={at.when} />
        </>
      )}
    </span>
  );
}

/** Who answers a mailing list decides whether all of it reads the answer. */
function ListGuard({ draft, onChange }: { draft: Draft; onChange: (written: Partial<Draft>) => void }) {
  const say = useSay();
  const { list } = draft;
  if (!list) return null;
  const isThere = [...draft.to, ...draft.cc].some(
    (one) => one.email.toLowerCase() === list.email.toLowerCase(),
  );
  if (isThere) return null;
  return (
    <p className="note">
      {say("compose.notToList", { name: list.name || list.email })}
      <button type="button" className="button" onClick={() => onChange({ to: [list], cc: [] })}>
        {say("act.replyList")}
      </button>
    </p>
  );
}
