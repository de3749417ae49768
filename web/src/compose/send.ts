/** From what was written to a submission. */

import { api, must, type Submission } from "../api/client";
import type { Attached, Draft } from "./drafts";

/** How long a message waits, so that it can be taken back. */
const UNDO_SECONDS = 10;

export async function send(draft: Draft, accountId: string, text: string): Promise<Submission> {
  const { to, cc, bcc, subject, html, attachments, answers } = draft;
  const answer = await must(
    api.POST("/api/v1/submissions", {
      // However often it is pressed, it is sent once.
      params: { header: { "Idempotency-Key": draft.key } },
      body: {
        account_id: accountId,
        to,
        cc,
        bcc,
        subject,
        text,
        html,
        attachments: attachments.map((one) => ({ upload_id: one.id })),
        in_reply_to: answers?.kind === "reply" ? answers.id : null,
        forward_of: answers?.kind === "forward" ? answers.id : null,
        undo_seconds: UNDO_SECONDS,
      },
    }),
  );
  return answer as Submission; // and no preview, which only a dry run is answered with
}

/** Take back what was not yet sent. */
export async function unsend(submissionId: string): Promise<void> {
  await must(
    api.POST("/api/v1/submissions/{submission_id}:cancel", {
      params: { path: { submission_id: submissionId } },
    }),
  );
}

/** Bring a file to the server; how far it came is told from 0 to 1. */
export function upload(file: File, progress: (done: number) => void): Promise<Attached> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/uploads");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => reject(new Error("The file did not reach the server."));
    request.onload = () => {
      const answer = request.response as {
        id: string;
        name: string;
        size_bytes: number;
        detail?: string;
      };
      if (request.status === 201)
        resolve({ id: answer.id, name: answer.name, size: answer.size_bytes });
      else reject(new Error(answer.detail ?? `The server answered ${request.status}.`));
    };
    request.send(form);
  });
}
