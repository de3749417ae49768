/** Files on their way to the server. */

import type { Attached } from "./draft";

export interface Upload {
  done: Promise<Attached>;
  stop: () => void;
}

/** Bring a file to the server; how far it came is told from 0 to 1. */
export function upload(file: File, progress: (done: number) => void): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<Attached>((resolve, reject) => {
    const form = new FormData();
    form.append("file", file, file.name || "image.png");
    request.open("POST", "/api/v1/uploads");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => reject(new Error("The file did not reach the server."));
    request.onabort = () => reject(new Stopped());
    request.onload = () => {
      const answer = request.response as {
        id: string;
        name: string;
        size_bytes: number;
        detail?: string;
      } | null;
      if (request.status === 201 && answer)
        resolve({ id: answer.id, name: answer.name, size: answer.size_bytes, contentId: null });
      else reject(new Error(answer?.detail ?? `The server answered ${request.status}.`));
    };
    request.send(form);
  });
  return { done, stop: () => request.abort() };
}

/** Somebody did not want it after all. */
export class Stopped extends Error {}
