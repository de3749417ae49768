/** A list of conversations; only what is on the screen is in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { defaultStringifySearch, useNavigate } from "@tanstack/react-router";
import { memo, useDeferredValue, useEffect, useMemo, useRef } from "react";

import { ApiProblem } from "../api/problem";
import { Misread } from "../search/Misread";
import { preferences } from "../session/preferences";
import { useSay } from "../strings/use";
import { useStore } from "../ui/store";
import { useChange } from "./changes";
import { MessageRow, type RowActs } from "./MessageRow";
import { messagesOf, rowOf } from "./messages";
import type { Selection } from "./selection";
import type { Rows } from "./useRows";

interface Props {
  list: Rows;
  name: string;
  scopeName: string;
  query: string | undefined;
  sought: string | undefined; // what the list was searched for
  toPeople: boolean;
  empty: string;
  openId: string | undefined;
  selection: Selection;
}

const HEIGHT = { comfortable: 76, cosy: 56, compact: 40 };

export function MessageList(props: Props) {
  const { list, selection, openId } = props;
  const { rows } = list;
  const say = useSay();
  const change = useChange();
  const box = useRef<HTMLDivElement>(null);
  const { density } = useStore(preferences);
  const height = HEIGHT[density];
  // eslint-disable-next-line react-hooks/incompatible-library -- rows are asked of it, none memoised
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 5,
    useFlushSync: false,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  // Rows are put together when there is time, bit by bit: whoever rushes through a hundred
  // thousand of them sees none, and nothing is to hold up the rush.
  const shown = useDeferredValue(items);

  const { more } = list;
  const near = last >= rows.length - 30;
  useEffect(() => {
    if (near && rows.length) more();
  }, [near, rows.length, more]);

  useEffect(() => virtual.measure(), [height, virtual]);

  const openAt = useMemo(() => rowOf(rows, openId), [rows, openId]);
  useEffect(() => {
    if (openAt < 0 || isInView(openAt * height, height, virtual.scrollOffset, virtual.scrollRect)) return;
    virtual.scrollToIndex(openAt, { align: "auto" });
  }, [openAt, height, virtual]);

  const { scopeName, query } = props;
  const navigate = useNavigate();
  const latest = useRef({ rows, selection });
  useEffect(() => {
    latest.current = { rows, selection };
  });
  const acts = useMemo<RowActs>(
    () => ({
      read: (row) =>
        void navigate({
          to: "/mail/$scope/$messageId",
          params: { scope: scopeName, messageId: row.message.id },
          search: query ? { q: query } : {},
        }),
      select: (row, toHere) => latest.current.selection.toggle(row, latest.current.rows, toHere),
      flag: (row, flagged) => change(messagesOf(row), { kind: "marks", flagged }),
      dragged: (row) => {
        const chosen = latest.current.selection.ids;
        const all = chosen.has(row.message.id)
          ? latest.current.rows.filter((one) => chosen.has(one.message.id))
          : [row];
        return all.flatMap(messagesOf).map((one) => one.id);
      },
    }),
    [navigate, change, scopeName, query],
  );
  const asked = defaultStringifySearch(query ? { q: query } : {});

  if (list.loading) return <Ghosts height={height} />;
  if (props.sought && list.error instanceof ApiProblem && list.error.problem.code === "query_invalid")
    return <Misread query={props.sought} problem={list.error.problem} />;
  if (list.error && !rows.length)
    return (
      <div className="empty" role="alert">
        <p>{say("app.failed", { detail: list.error.message })}</p>
        <button type="button" className="button" onClick={list.again}>
          {say("app.retry")}
        </button>
      </div>
    );
  if (!rows.length)
    return (
      <div className="empty">
        <h2>{say("list.empty.title")}</h2>
        <p className="soft">{props.empty}</p>
      </div>
    );

  return (
    // A region that scrolls can be reached and scrolled with the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className="list" ref={box} tabIndex={0} aria-label={say("list.label", { name: props.name })}>
      <ul style={{ height: virtual.getTotalSize(), backgroundSize: `100% ${height}px` }} aria-busy={list.hasMore}>
        {shown.map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <ListedRow
              key={row.message.id}
              at={index}
              start={start}
              height={height}
              among={list.hasMore ? -1 : rows.length}
              row={row}
              address={`/mail/${encodeURIComponent(scopeName)}/${row.message.id}${asked}`}
              toPeople={props.toPeople}
              open={index === openAt}
              selected={selection.ids.has(row.message.id)}
              acts={acts}
            />
          );
        })}
      </ul>
    </section>
  );
}

/** Whether a row stands where it can be seen. */
function isInView(
  top: number,
  height: number,
  offset: number | null,
  box: { height: number } | null,
): boolean {
  return offset !== null && box !== null && top >= offset && top + height <= offset + box.height;
}

type ListedProps = Parameters<typeof MessageRow>[0] & {
  at: number;
  start: number; // in pixels, from the beginning of the list
  height: number;
  among: number; // how many there are; -1: nobody knows yet
};

/** A row in its place; it has nothing to do as long as it stays the same. */
const ListedRow = memo(function ListedRow({ at, start, height, among, ...row }: ListedProps) {
  return (
    <li
      style={{ height, transform: `translateY(${start}px)` }}
      aria-setsize={among}
      aria-posinset={at + 1}
    >
      <MessageRow {...row} />
    </li>
  );
});

function Ghosts({ height }: { height: number }) {
  const say = useSay();
  return (
    <div className="list" role="status" aria-label={say("read.loading")}>
      {Array.from({ length: 9 }, (_, at) => (
        <div className="row-ghost" key={at} style={{ height }}>
          <div className="ghost" />
          <div className="ghost" />
        </div>
      ))}
    </div>
  );
}
