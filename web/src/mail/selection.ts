/** Which rows are chosen, by the id of their newest message. */

import { useCallback, useState } from "react";

import type { Row } from "./messages";

export interface Selection {
  ids: ReadonlySet<string>;
  everything: boolean; // also what is not loaded of the list
  toggle: (row: Row, rows: readonly Row[], toHere?: boolean) => void;
  choose: (rows: readonly Row[]) => void;
  chooseEverything: () => void;
  clear: () => void;
}

const NONE: ReadonlySet<string> = new Set();

export function useSelection(): Selection {
  const [ids, setIds] = useState(NONE);
  const [everything, setEverything] = useState(false);
  const [anchor, setAnchor] = useState<string | null>(null);

  const toggle = useCallback(
    (row: Row, rows: readonly Row[], toHere = false) => {
      const next = new Set(ids);
      const from = rows.findIndex((one) => one.message.id === anchor);
      const to = rows.findIndex((one) => one.message.id === row.message.id);
      if (toHere && from >= 0) {
        for (const one of rows.slice(Math.min(from, to), Math.max(from, to) + 1))
          next.add(one.message.id);
      } else if (!next.delete(row.message.id)) {
        next.add(row.message.id);
      }
      setAnchor(row.message.id);
      setEverything(false);
      setIds(next);
    },
    [ids, anchor],
  );
  return {
    ids,
    everything,
    toggle,
    choose: useCallback((rows) => setIds(new Set(rows.map((row) => row.message.id))), []),
    chooseEverything: useCallback(() => setEverything(true), []),
    clear: useCallback(() => {
      setIds(NONE);
      setEverything(false);
    }, []),
  };
}
