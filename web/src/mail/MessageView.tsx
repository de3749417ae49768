/** One message, read: who wrote it, what can be trusted, what it says, what is attached. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { DropdownMenu } from "radix-ui";
import { Download, EllipsisVertical, Forward, Paperclip, Reply, ReplyAll } from "lucide-react";
import { useState } from "react";
import { FormattedDate, FormattedNumber } from "react-intl";

import { api, type Message, must, type OpenMessage, type Schemas } from "../api/client";
import { compose } from "../compose/drafts";
import { useSay } from "../strings/use";
import { Dialog } from "../ui/Dialog";
import { IconButton } from "../ui/Icon";
import { MessageFrame } from "./MessageFrame";
import { messageQuery } from "./messages";
import { nameOf } from "./people";
import { TextBody } from "./TextBody";
import { When } from "./When";

export function MessageView({ message, own }: { message: Message; own: ReadonlySet<string> }) {
  const say = useSay();
  const [images, setImages] = useState(false);
  const [headers, setHeaders] = useState(false);
  const { data, error, refetch } = useQuery(messageQuery(message.id, images));
  const { data: first } = useQuery(messageQuery(message.id, false));
  const read = data ?? first;
  const sender = nameOf(message.from) ?? say("list.nobody");
  const queries = useQueryClient();
  const allowing = useMutation({
    mutationFn: () =>
      must(api.POST("/api/v1/image-senders", { body: { sender: message.from?.email ?? "" } })),
    onSuccess: () => {
      setImages(true); // of this one at once; of others when they are opened
      return queries.invalidateQueries({ queryKey: ["message"] });
    },
  });
  const name = (one: Schemas["Person"]) =>
    own.has(one.email.toLowerCase()) ? say("read.me") : (nameOf(one) ?? "");

  return (
    <section className="message" aria-label={sender}>
      <header className="message-head">
        <div className="face" aria-hidden>
          {sender.slice(0, 1).toUpperCase()}
        </div>
        <div className="message-people">
          <strong>
            <bdi>{sender}</bdi>
          </strong>{" "}
          {message.from?.name && (
            <span className="soft small">
              <bdi>{message.from.email}</bdi>
            </span>
          )}
          <p className="soft small">
            <bdi>{say("read.to", { names: message.to.map(name).join(", ") || say("list.nobody") })}</bdi>
            {read && read.cc.length > 0 && (
              <bdi>, {say("read.cc", { names: read.cc.map(name).join(", ") })}</bdi>
            )}
          </p>
        </div>
        <div className="message-tools">
          <span className="soft small">
            <When at={message.received_at} long />
          </span>
          {read && (
            <>
              <IconButton
                icon={Reply}
                label={say("act.reply")}
                shortcut="r"
                onClick={() => compose({ kind: "reply", to: read })}
              />
              <IconButton
                icon={ReplyAll}
                label={say("act.replyAll")}
                shortcut="a"
                onClick={() => compose({ kind: "replyAll", to: read })}
              />
              <IconButton
                icon={Forward}
                label={say("act.forward")}
                shortcut="f"
                onClick={() => compose({ kind: "forward", of: read })}
              />
            </>
          )}
          <DropdownMenu.Root modal={false}>
            <DropdownMenu.Trigger asChild>
              <IconButton icon={EllipsisVertical} label={say("app.more")} />
            </DropdownMenu.Trigger>
            <DropdownMenu.Content className="menu" align="end">
              <DropdownMenu.Item onSelect={() => setHeaders(true)}>{say("act.headers")}</DropdownMenu.Item>
              <DropdownMenu.Item asChild>
                <a href={`/api/v1/messages/${message.id}/raw`} download>
                  {say("act.raw")}
                </a>
              </DropdownMenu.Item>
              <DropdownMenu.Item onSelect={() => printed(message.id, images)}>
                {say("act.print")}
              </DropdownMenu.Item>
            </DropdownMenu.Content>
          </DropdownMenu.Root>
        </div>
      </header>
      {error && !read && (
        <p className="note bad" role="alert">
          {say("app.failed", { detail: error.message })}
          <button type="button" className="button" onClick={() => void refetch()}>
            {say("app.retry")}
          </button>
        </p>
      )}
      {read && <Trust read={read} />}
      {read?.invitation && <InvitationCard invitation={read.invitation} />}
      {read && !images && !read.remote_images.shown && read.remote_images.count > 0 && (
        <p className="note">
          {say("read.images", { count: read.remote_images.count })}
          <button type="button" className="button" onClick={() => setImages(true)}>
            {say("read.showImages")}
          </button>
          {message.from && (
            <button type="button" className="button" onClick={() => allowing.mutate()}>
              {say("read.alwaysImages", { sender: message.from.email })}
            </button>
          )}
        </p>
      )}
      {read && read.remote_images.trackers.length > 0 && (
        <p className="soft small">
          {say("read.trackers", {
            count: read.remote_images.trackers.reduce((sum, one) => sum + one.count, 0),
            hosts: read.remote_images.trackers.map((one) => one.host).join(", "),
          })}
        </p>
      )}
      {read?.html ? (
        <MessageFrame id={message.id} images={images && data !== undefined} sender={sender} />
      ) : read ? (
        <TextBody read={read} />
      ) : (
        !error && <div className="ghost ghost-body" />
      )}
      {read?.is_cut && <p className="note">{say("read.cut")}</p>}
      {read && read.attachments.length > 0 && <Attachments id={message.id} all={read.attachments} />}
      {read && (
        <Dialog open={headers} onClose={() => setHeaders(false)} title={say("act.headers")}>
          <dl className="headers">
            {read.headers.map((one, at) => (
              <div key={at}>
                <dt>{one.name}</dt>
                <dd>
                  <bdi>{one.value}</bdi>
                </dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </section>
  );
}

/** What the server that took the message found out of its sender (RFC 8601). */
function Trust({ read }: { read: OpenMessage }) {
  const say = useSay();
  const checks = read.authentication.filter((one) => ["dmarc", "dkim", "spf"].includes(one.method));
  const dmarc = checks.find((one) => one.method === "dmarc");
  const methods = checks.map((one) => `${one.method.toUpperCase()} ${one.result}`).join(", ");
  const list = read.mailing_list;
  return (
    <>
      {dmarc?.result === "fail" && <p className="note bad">{say("read.suspicious", { methods })}</p>}
      <p className="trust soft small">
        {dmarc?.result === "pass" && <span>{say("read.authenticated", { methods })}</span>}
        {read.signed && <span>{say("read.signed", { scheme: read.signed })}</span>}
        {read.encrypted && <span>{say("read.encrypted", { scheme: read.encrypted })}</span>}
        {list && (list.name || list.list_id) && (
          <span>{say("read.list", { name: list.name || list.list_id || "" })}</span>
        )}
      </p>
    </>
  );
}

function InvitationCard({ invitation }: { invitation: Schemas["Invitation"] }) {
  const say = useSay();
  const start = invitation.start;
  return (
    <section className="invitation" aria-label={say("read.invitation")}>
      <strong>
        <bdi>{invitation.summary || say("read.invitation")}</bdi>
      </strong>
      {invitation.cancelled && <p className="wrong">{say("read.invitation.cancelled")}</p>}
      {start && (
        <p>
          {start.at ? (
            <FormattedDate value={start.at} dateStyle="full" timeStyle="short" />
          ) : (
            start.local
          )}
        </p>
      )}
      {invitation.location && <p>{say("read.invitation.where", { place: invitation.location })}</p>}
      {invitation.organiser && (
        <p className="soft">
          {say("read.invitation.by", { name: invitation.organiser.name || invitation.organiser.email })}
        </p>
      )}
    </section>
  );
}

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

function Attachments({ id, all }: { id: string; all: OpenMessage["attachments"] }) {
  const say = useSay();
  const shown = all.filter((one) => !one.inline);
  if (!shown.length) return null;
  const at = (number: number) => `/api/v1/messages/${id}/attachments/${number}`;
  return (
    <section className="attachments" aria-label={say("read.attachments")}>
      <ul>
        {shown.map((one) => (
          <li key={one.number}>
            <a className="attachment" href={at(one.number)} download={one.name}>
              {PICTURES.has(one.content_type) && one.size_bytes < 5_000_000 ? (
                <img src={`${at(one.number)}?inline=true`} alt="" loading="lazy" />
              ) : (
                <Paperclip size={18} aria-hidden />
              )}
              <span>
                <bdi>{one.name || one.content_type}</bdi>
                <span className="soft small">
                  <Size bytes={one.size_bytes} />
                </span>
              </span>
              <Download size={16} aria-hidden />
            </a>
          </li>
        ))}
      </ul>
      {shown.length > 1 && (
        <a className="button" href={`/api/v1/messages/${id}/attachments.zip`} download>
          <Download size={16} aria-hidden /> {say("act.downloadAll")}
        </a>
      )}
    </section>
  );
}

function Size({ bytes }: { bytes: number }) {
  const [value, unit] =
    bytes < 1_000 ? [bytes, "byte"] : bytes < 1_000_000 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  return (
    <FormattedNumber
      value={value}
      style="unit"
      unit={unit}
      unitDisplay="short"
      maximumFractionDigits={value < 10 && unit !== "byte" ? 1 : 0}
    />
  );
}

function printed(id: string, images: boolean): void {
  const page = window.open(`/api/v1/messages/${id}/html?images=${images ? "allow" : "block"}`, "_blank");
  page?.addEventListener("load", () => page.print());
}
