/** Labels: the server's own where it has them (Gmail), elsewhere the keywords people use as such. */

import { queryOptions } from "@tanstack/react-query";

import { api, type Message, must, type Schemas } from "../api/client";
import type { StringId } from "../strings/en";
import type { Say } from "../strings/use";

export type KnownLabel = Schemas["KnownLabel"];
export type Label = Pick<KnownLabel, "kind" | "name">;

export const INBOX = "\\Inbox";

export const labelsQuery = queryOptions({
  queryKey: ["labels"],
  queryFn: async ({ signal }) => (await must(api.GET("/api/v1/labels", { signal }))).items,
  staleTime: Infinity,
});

/** Whether the server of an account has labels beside mailboxes. */
export const hasOwn = (known: readonly KnownLabel[], accountId: string): boolean =>
  known.some((one) => one.account_id === accountId && one.kind === "label");

/** Keywords by which programs talk to each other. */
const OF_PROGRAMS =
  /^(\\|\$(?!label[1-5]$)|(no[nt])?junk(recorded)?$|forwarded$|redirected$|mdnsent$|oib-seen)/i;

/** Those of Thunderbird, which other programs show, too. */
const TAGS: Record<string, StringId> = {
  $label1: "label.important",
  $label2: "label.work",
  $label3: "label.personal",
  $label4: "label.toDo",
  $label5: "label.later",
};

export const isForPeople = ({ kind, name }: Label): boolean =>
  kind === "label" ? !name.startsWith("\\") : !OF_PROGRAMS.test(name);

/** What somebody called a message. */
export const labelsOf = (message: Pick<Message, "labels" | "keywords">): Label[] =>
  [
    ...message.labels.map((name): Label => ({ kind: "label", name })),
    ...message.keywords.map((name): Label => ({ kind: "keyword", name })),
  ].filter(isForPeople);

export function shownLabel({ kind, name }: Label, say: Say): string {
  if (kind === "label") return name;
  const tag = TAGS[name.toLowerCase()];
  return tag ? say(tag) : name.replaceAll("_", " ");
}

/** A name as a keyword can have it (RFC 9051 §9, flag-keyword); null where none can. */
export function keywordOf(name: string): string | null {
  const keyword = name.trim().replaceAll(/\s+/g, "_");
  return /^[!-~]{1,100}$/.test(keyword) && !/[(){%*"\\\]]/.test(keyword) && !OF_PROGRAMS.test(keyword)
    ? keyword
    : null;
}
