/** Words with looks and without, as mail has them. Nothing that is parsed here is ever shown as it is. */

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** In a document of its own, in which nothing runs and nothing is loaded. */
export const parsed = (html: string): Document => new DOMParser().parseFromString(html, "text/html");

/** Paragraphs, as the editor writes them. */
export const paragraphs = (text: string): string =>
  text
    .trimEnd()
    .split(/\n{2,}/)
    .map((part) => `<p>${escaped(part).replaceAll("\n", "<br>")}</p>`)
    .join("");

const BLOCKS = "address,article,blockquote,div,h1,h2,h3,h4,h5,h6,hr,li,ol,p,pre,section,table,tr,ul";

/** What somebody reads in it, line by line. */
export function textOf(html: string): string {
  const page = parsed(html);
  for (const one of page.querySelectorAll("style,script,head")) one.remove();
  for (const one of page.querySelectorAll("br")) one.replaceWith("\n");
  for (const one of page.querySelectorAll(BLOCKS)) {
    one.before("\n");
    one.after(one.tagName === "P" ? "\n\n" : "\n");
  }
  return page.body.textContent
    .replaceAll("\u00a0", " ")
    .replaceAll(/[ \t]+\n/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

/** Lines of what is quoted, marked as others expect it (RFC 3676 §4.5). */
export const quotedText = (html: string): string =>
  textOf(html)
    .split("\n")
    .map((line) => (line ? `> ${line}` : ">"))
    .join("\n");

const SIGNATURE = "postbus_signature";

/** The words with this signature instead of any other; without one, where it is empty. */
export function withSignature(html: string, signature: string): string {
  const page = parsed(html);
  const there = page.querySelector(`div.${SIGNATURE}`);
  if (!signature) {
    there?.remove();
    return page.body.innerHTML;
  }
  const block = there ?? page.createElement("div");
  block.className = SIGNATURE;
  block.innerHTML = `<p>--</p>${parsed(signature).body.innerHTML}`;
  if (!there) {
    if (!page.body.firstElementChild) page.body.append(page.createElement("p"));
    page.body.append(block);
  }
  return page.body.innerHTML;
}
