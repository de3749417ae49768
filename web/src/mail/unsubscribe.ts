/** How one leaves a list: by its address of mail or of the web (RFC 2369 §3.2). */

import type { OpenMessage } from "../api/client";
import { compose } from "../compose/drafts";

/** What to do to leave the list that this message came through; null where it does not say how. */
export function unsubscribing(read: OpenMessage): (() => void) | null {
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
