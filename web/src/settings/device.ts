/** A browser in plain words, as its User-Agent says (RFC 9110 §10.1.5). */

import Bowser from "bowser";

import type { Say } from "../strings/use";

/** `Firefox on Linux`; a program that is no browser by its own first words, as `curl/8`. */
export function deviceOf(client: string, say: Say): string {
  if (!client) return say("state.other");
  if (!client.startsWith("Mozilla/")) return client.split(" ", 1)[0] ?? client;
  const found = Bowser.parse(client);
  const browser = found.browser.name;
  const system = found.os.name;
  if (!browser) return system ?? client;
  return system ? say("security.device", { browser, system }) : browser;
}
