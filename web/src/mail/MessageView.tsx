/** One message, read: who wrote it, what can be trusted, what it says, what is attached. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { DropdownMenu } from "radix-ui";
import { EllipsisVertical, Forward, Reply, ReplyAll } from "lucide-react";
import { useCallback, useState } from "react";

import { api, type Message, must, type Schemas } from "../api/client";
import { listOf } from "../compose/draft";
import { compose } from "../compose/drafts";
import { WriteOn } from "../compose/WriteOn";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { Attachments } from "./Attachments";
import { InvitationCard } from "./InvitationCard";
import { LabelLinks } from "./LabelLinks";
import { MessageFrame } from "./MessageFrame";
import { messageQuery } from "./messages";
import { Original } from "./Original";
import { nameOf } from "./people";
import { TextBody } from "./TextBody";
import { Trust } from "./Trust";
import { unsubscribing } from "./unsubscribe";
import { When } from "./When";

const ANSWERS = [
  ["reply", Reply, "act.reply", "r"],
  ["replyAll", ReplyAll, "act.replyAll", "a"],
  ["forward", Forward, "act.forward", "f"],
] as const;

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
  const [measured, setMeasured] = useState(false);
  const onMeasured = useCallback(() => setMeasured(true), []);
  const settled = read ? !read.html || measured : Boolean(error);
  const leave = read ? unsubscribing(read, say) : null;
  const name = (one: Schemas["Person"]) =>
    own.has(one.email.toLowerCase()) ? say("read.me") : (nameOf(one) ?? "");

  return (
    <section className="message" aria-label={sender} data-settling={!settled || undefined}>
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
        <LabelLinks message={message} />
        <div className="message-tools">
          <span className="soft small">
            <When at={message.received_at} long />
          </span>
          {ANSWERS.map(([kind, icon, label, shortcut]) => (
            <IconButton
              key={kind}
              icon={icon}
              label={say(label)}
              shortcut={shortcut}
              disabled={!read}
              onClick={() => read && compose(kind === "forward" ? { kind, of: read } : { kind, to: read })}
            />
          ))}
          <DropdownMenu.Root modal={false}>
            <DropdownMenu.Trigger asChild>
              <IconButton icon={EllipsisVertical} label={say("app.more")} />
            </DropdownMenu.Trigger>
            <DropdownMenu.Content className="menu" align="end">
              {read && listOf(read) && (
                <DropdownMenu.Item onSelect={() => compose({ kind: "replyList", to: read })}>
                  {say("act.replyList")}
                </DropdownMenu.Item>
              )}
              <DropdownMenu.Item onSelect={() => setHeaders(true)}>{say("act.headers")}</DropdownMenu.Item>
              <DropdownMenu.Item onSelect={() => printed(message.id, images)}>
                {say("act.print")}
              </DropdownMenu.Item>
              {leave && <DropdownMenu.Item onSelect={leave}>{say("act.unsubscribe")}</DropdownMenu.Item>}
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
      <WriteOn message={message} />
      {read && <Trust read={read} onUnsubscribe={leave} />}
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
        <MessageFrame id={message.id} images={images && data !== undefined} sender={sender} onMeasured={onMeasured} />
      ) : read ? (
        <TextBody read={read} />
      ) : (
        !error && <div className="ghost ghost-body" />
      )}
      {read?.is_cut && <p className="note">{say("read.cut")}</p>}
      {read && read.attachments.length > 0 && <Attachments id={message.id} all={read.attachments} />}
      {read && headers && <Original read={read} onClose={() => setHeaders(false)} />}
    </section>
  );
}

function printed(id: string, images: boolean): void {
  const address = `/api/v1/messages/${id}/html?paper=true${images ? "&images=allow" : ""}`;
  window.open(address, "_blank", "noopener");
}
