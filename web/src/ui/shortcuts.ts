/** The keyboard: single keys as in other webmails, never while somebody writes. */

import { useEffect, useRef } from "react";

export type Shortcuts = Record<string, () => void>;

const SEQUENCE_MILLISECONDS = 1_000;

const listening = new Set<{ current: Shortcuts }>();
let first: { key: string; at: number } | null = null;

const writes = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && target.type === "checkbox");

/** A key was pressed, here or in the frame of a message. */
export function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (writes(event.target) || document.querySelector("dialog[open]")) return;
  const now = performance.now();
  const both = first && now - first.at < SEQUENCE_MILLISECONDS ? `${first.key} ${event.key}` : null;
  first = { key: event.key, at: now };
  // Who came last is nearest to what the reader looks at.
  for (const name of [both, event.key])
    for (const shortcuts of [...listening].reverse()) {
      const run = name === null ? undefined : shortcuts.current[name];
      if (run) {
        event.preventDefault();
        first = null;
        run();
        return;
      }
    }
}

/** What these keys do, as long as this part of the page is there. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const kept = useRef(shortcuts);
  useEffect(() => {
    kept.current = shortcuts;
  });
  useEffect(() => {
    if (!listening.size) document.addEventListener("keydown", pressed);
    listening.add(kept);
    return () => {
      listening.delete(kept);
      if (!listening.size) document.removeEventListener("keydown", pressed);
    };
  }, []);
}
