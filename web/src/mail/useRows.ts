/** The rows of a list: what is loaded of it, in conversations. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { inThreads, listQuery, type Row, type Scope } from "./messages";

export interface Rows {
  rows: Row[];
  more: () => void;
  hasMore: boolean;
  loading: boolean;
  error: Error | null;
  again: () => void;
}

export function useRows(scope: Scope): Rows {
  const list = useInfiniteQuery(listQuery(scope));
  const pages = list.data?.pages;
  const rows = useMemo(() => inThreads((pages ?? []).flatMap((page) => page.items)), [pages]);
  return {
    rows,
    more: () => {
      if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
    },
    hasMore: list.hasNextPage,
    loading: list.isPending,
    error: list.error,
    again: () => void list.refetch(),
  };
}
