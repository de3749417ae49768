/** How one leaves a list: by one request of the server's (RFC 8058), or by its address (RFC 2369 §3.2). */

import { api, must, type OpenMessage } from "../api/client";
import { compose } from "../compose/drafts";
import type { Say } from "../strings/use";
import { toast } from "../ui/toasts";

/** What to do to leave the list that this message came through; null where it does not say how. */
export function unsubscribing(read: OpenMessage, say: Say): (() => void) | null {
  if (read.mailing_list?.one_click) return () => void left(read, say);
  return byItsAddress(read);
}

async function left(read: OpenMessage, say: Say): Promise<void> {
  const name = read.mailing_list?.name || read.mailing_list?.list_id || read.from?.email || "";
  try {
    await must(
      api.POST("/api/v1/messages/{message_id}:unsubscribe", { params: { path: { message_id: read.id } } }),
    );
    toast(say("read.left", { name }));
  } catch (error) {
    const other = byItsAddress(read);
    toast(
      say("done.failed", { detail: error instanceof Error ? error.message : String(error) }),
      other ? { label: say("read.leaveOtherwise"), run: other } : undefined,
    );
  }
}

function byItsAddress(read: OpenMessage): (() => void) | null {
  for (const address of read.mailing_list?.unsubscribe ?? []) {
    if (/^https?:/i.test(address))
      return () => void window.open(address, "_blank", "noopener,noreferrer");
    const letter = fromMailto(address);
    if (letter) return () => compose({ kind: "new", to: [{ name: "", email: letter.to }], subject: letter.subject });
  }
  return null;
}

/** Whom a mailto address writes to, and about what (RFC 6068). */
export function fromMailto(address: string): { to: string; subject: string } | null {
  if (!/^mailto:[^?]/i.test(address)) return null;
  const { pathname, searchParams } = new URL(address);
  try {
    return { to: decodeURIComponent(pathname), subject: searchParams.get("subject") ?? "unsubscribe" };
  } catch (error) {
    if (error instanceof URIError) return null; // no address at all
    throw error;
  }
}
