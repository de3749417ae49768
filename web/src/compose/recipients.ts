/** Addresses as people write them: one, or several between commas. */

import type { Person } from "../api/client";

const ONE = /^\s*(?:"?([^"<>]*?)"?\s*<([^<>\s]+@[^<>\s]+)>|([^<>\s,;]+@[^<>\s,;]+))\s*$/;

/** Who is meant, and what of the text nobody can be reached by. */
export function people(text: string): { found: Person[]; left: string } {
  const found: Person[] = [];
  const left: string[] = [];
  for (const part of split(text)) {
    const match = ONE.exec(part);
    const email = match?.[2] ?? match?.[3];
    if (email) found.push({ name: match?.[1]?.trim() ?? "", email });
    else if (part.trim()) left.push(part.trim());
  }
  return { found, left: left.join(", ") };
}

/** At commas and semicolons that stand in no quotes. */
function split(text: string): string[] {
  return text.match(/(?:"[^"]*"|[^,;\n"]|")+/g) ?? [];
}
