/** The rows of a list: what is loaded of it, in conversations. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { inThreads, listQuery, type Page, type Row, type Scope } from "./messages";

const NONE: Page[] = [];

export interface Rows {
  rows: Row[];
  more: () => void;
  hasMore: boolean;
  loading: boolean;
  error: Error | null;
  again: () => void;
}

export function useRows(scope: Scope | null): Rows {
  const list = useInfiniteQuery({ ...listQuery(scope ?? { kind: "inboxes" }), enabled: scope !== null });
  const pages = scope === null ? undefined : list.data?.pages;
  const rows = useMemo(() => inThreads(pages ?? NONE), [pages]);
  return {
    rows,
    more: () => {
      if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
    },
    hasMore: list.hasNextPage,
    loading: scope === null || list.isPending,
    error: list.error,
    again: () => void list.refetch(),
  };
}
