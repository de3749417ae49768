/** What was sent lately from this browser, as it was written: to be taken back, or written anew. */

import { api, must } from "../api/client";
import { anew, type Draft } from "./draft";
import { open } from "./drafts";

const KEY = "postbus.sent";
const MOST = 20;

interface Sent {
  submissionId: string;
  draft: Draft;
}

const remembered = (): Sent[] => JSON.parse(localStorage.getItem(KEY) ?? "[]") as Sent[];

export function remember(submissionId: string, draft: Draft): void {
  for (let most = MOST; most > 0; most = Math.floor(most / 2)) {
    try {
      const kept = [{ submissionId, draft }, ...remembered()].slice(0, most);
      localStorage.setItem(KEY, JSON.stringify(kept));
      return;
    } catch (error) {
      // There is room for so much only: fewer, then.
      if (!(error instanceof DOMException)) throw error;
    }
  }
}

export const forgetSent = (): void => localStorage.removeItem(KEY);

/** Whether it can be written anew from here. */
export const isRemembered = (submissionId: string): boolean =>
  remembered().some((one) => one.submissionId === submissionId);

/** The words of what was sent, in a message of its own. */
export function writeAnew(submissionId: string): void {
  const sent = remembered().find((one) => one.submissionId === submissionId);
  if (sent) open(anew(sent.draft));
}

/** Take back what is not on its way yet, and write on. */
export async function takeBack(submissionId: string): Promise<void> {
  await must(
    api.POST("/api/v1/submissions/{submission_id}:cancel", {
      params: { path: { submission_id: submissionId } },
    }),
  );
  writeAnew(submissionId);
}
