/** How people are named. */

import type { Person } from "../api/client";

export const nameOf = (person: Person | null | undefined): string | undefined =>
  person ? person.name || person.email : undefined;

/** A first name where there is one, for a row of several people. */
export const shortName = (person: Person): string =>
  person.name ? (person.name.split(/\s+/)[0] ?? person.name) : (person.email.split("@")[0] ?? "");

export const written = (person: Person): string =>
  person.name ? `${person.name} <${person.email}>` : person.email;
