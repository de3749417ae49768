/** How somebody likes to write, remembered in this browser. */

import { create } from "../ui/store";

export interface Habits {
  plain: boolean;
  toAll: boolean; // an answer goes to everybody
}

const KEY = "postbus.writing";

export const writingHabits = create<Habits>({
  plain: false,
  toAll: false,
  ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Habits>),
});

export function accustom(now: Habits): void {
  writingHabits.set(now);
  localStorage.setItem(KEY, JSON.stringify(now));
}
