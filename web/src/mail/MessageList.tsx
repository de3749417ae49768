/** A list of conversations; only what is on the screen is in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";

import type { Message } from "../api/client";
import { ApiProblem } from "../api/problem";
import { Misread } from "../search/Misread";
import { useSay } from "../strings/use";
import { appearance } from "../ui/appearance";
import { useStore } from "../ui/store";
import { useChange } from "./changes";
import { MessageRow } from "./MessageRow";
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

const HEIGHT = { cosy: 76, compact: 40 };

export function MessageList(props: Props) {
  const { list, selection, openId } = props;
  const { rows } = list;
  const say = useSay();
  const change = useChange();
  const box = useRef<HTMLDivElement>(null);
  const { density } = useStore(appearance);
  const height = HEIGHT[density];
  // eslint-disable-next-line react-hooks/incompatible-library -- rows are asked of it, none memoised
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]?.message.id ?? index,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;

  const { more } = list;
  const near = last >= rows.length - 30;
  useEffect(() => {
    if (near && rows.length) more();
  }, [near, rows.length, more]);

  useEffect(() => virtual.measure(), [height, virtual]);

  const openAt = useMemo(() => rowOf(rows, openId), [rows, openId]);
  useEffect(() => {
    if (openAt >= 0) virtual.scrollToIndex(openAt, { align: "auto" });
  }, [openAt, virtual]);

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

  const dragged = (at: number): Message[] => {
    const row = rows[at];
    if (!row) return [];
    if (!selection.ids.has(row.message.id)) return messagesOf(row);
    return rows.filter((one) => selection.ids.has(one.message.id)).flatMap(messagesOf);
  };

  return (
    // A region that scrolls can be reached and scrolled with the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className="list" ref={box} tabIndex={0} aria-label={say("list.label", { name: props.name })}>
      <ul style={{ height: virtual.getTotalSize() }} aria-busy={list.hasMore}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <li
              key={item.key}
              style={{ height, transform: `translateY(${item.start}px)` }}
              aria-setsize={list.hasMore ? -1 : rows.length}
              aria-posinset={item.index + 1}
            >
              <MessageRow
                row={row}
                scopeName={props.scopeName}
                query={props.query}
                toPeople={props.toPeople}
                open={item.index === openAt}
                selected={selection.ids.has(row.message.id)}
                onSelect={(toHere) => selection.toggle(row, rows, toHere)}
                onFlag={(flagged) => change(messagesOf(row), { kind: "marks", flagged })}
                dragged={() => dragged(item.index)}
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

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
