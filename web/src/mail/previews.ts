/** Which attachments can be looked at without being taken home, and how. */

import type { OpenMessage } from "../api/client";

type Attachment = Pick<OpenMessage["attachments"][number], "content_type" | "size_bytes" | "name">;

export type PreviewKind = "picture" | "pdf" | "text";

const PICTURES = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/bmp",
]);
const TEXTS = new Set(["application/json", "application/xml", "application/x-yaml", "application/toml"]);
const LONGEST_TEXT_BYTES = 1_000_000;
const LARGEST_PICTURE_BYTES = 5_000_000; // as a small picture in the list; larger ones on request

export function previewOf(one: Attachment): PreviewKind | null {
  const type = one.content_type.toLowerCase();
  if (PICTURES.has(type)) return "picture";
  if (type === "application/pdf") return "pdf";
  // HTML is read as the text it is: here nothing of it is run.
  const isText = type.startsWith("text/") || type.endsWith("+json") || type.endsWith("+xml") || TEXTS.has(type);
  return isText && one.size_bytes <= LONGEST_TEXT_BYTES ? "text" : null;
}

export const isPicture = (one: Attachment): boolean =>
  previewOf(one) === "picture" && one.size_bytes < LARGEST_PICTURE_BYTES;
