/** The words around what a message was found by. The server wrote it: text, and marks around matches. */

const ENTITIES: Record<string, string> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#x27;": "'",
};

/** Text and marked text in turns, beginning with text. */
export const turns = (html: string): string[] =>
  html.split(/<\/?mark>/).map((one) => one.replace(/&(?:amp|lt|gt|quot|#x27);/g, (entity) => ENTITIES[entity] ?? entity));

export function Snippet({ html }: { html: string }) {
  return turns(html).map((text, at) => (at % 2 ? <mark key={at}>{text}</mark> : text));
}
