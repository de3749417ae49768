/** Search as one types: results come with each pause, and what may be meant is offered. */

import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Search, X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";

import { mailboxesQuery } from "../mail/mailboxes";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { completions, personPrefix } from "./completions";
import { forgetRecent, peopleQuery, recentQuery, remember } from "./searches";

const PAUSE_MILLISECONDS = 180;

export function SearchBox({ query, scopeName }: { query: string; scopeName: string }) {
  const say = useSay();
  const id = useId();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [text, setText] = useState(query);
  const [shownFor, setShownFor] = useState(query);
  const [open, setOpen] = useState(false);
  const [marked, setMarked] = useState(-1);
  const timer = useRef(0);
  if (shownFor !== query) {
    // Somebody went elsewhere, or back.
    setShownFor(query);
    if (query !== text.trim()) setText(query);
  }
  useEffect(() => () => window.clearTimeout(timer.current), []);

  const { data: mailboxes = [] } = useQuery(mailboxesQuery);
  const { data: recent = [] } = useQuery({ ...recentQuery, enabled: open });
  const prefix = personPrefix(text);
  const { data: people = [] } = useQuery({
    ...peopleQuery(prefix),
    enabled: open && prefix !== "",
    placeholderData: keepPreviousData,
  });
  const offered = open ? completions(text, { recent, mailboxes, people: prefix ? people : [] }) : [];

  const look = (wanted: string) => {
    window.clearTimeout(timer.current);
    void navigate({
      to: "/mail/$scope",
      params: { scope: scopeName },
      search: wanted ? { q: wanted } : {},
      replace: Boolean(query && wanted),
    });
  };
  const write = (now: string) => {
    setText(now);
    setMarked(-1);
    setOpen(true);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => look(now.trim()), PAUSE_MILLISECONDS);
  };
  const leave = () => {
    setText("");
    setOpen(false);
    look("");
  };
  const mean = () => {
    const wanted = text.trim();
    setOpen(false);
    look(wanted);
    // It is only a convenience: what is wrong with the search is said where its results would be.
    if (wanted) remember(queries, wanted).catch(() => undefined);
  };

  return (
    <search className="search">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          mean();
        }}
      >
        <Search size={17} aria-hidden />
        <input
          id="search"
          type="text"
          role="combobox"
          enterKeyHint="search"
          autoComplete="off"
          spellCheck={false}
          maxLength={1000}
          aria-label={say("search.label")}
          aria-autocomplete="list"
          aria-expanded={offered.length > 0}
          aria-controls={`${id}l`}
          aria-activedescendant={offered[marked] ? `${id}l${marked}` : undefined}
          placeholder={say("search.placeholder")}
          value={text}
          onFocus={() => setOpen(true)}
          onClick={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onChange={(event) => write(event.target.value)}
          onKeyDown={(event) => {
            const completion = offered[marked];
            if (completion && event.key === "Enter") {
              event.preventDefault();
              write(completion.text);
            } else if (offered.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
              event.preventDefault();
              const by = event.key === "ArrowDown" ? 1 : marked < 0 ? 0 : -1;
              setMarked((marked + by + offered.length) % offered.length);
            } else if (event.key === "Escape") {
              if (offered.length && marked >= 0) setMarked(-1);
              else {
                leave();
                event.currentTarget.blur();
              }
            }
          }}
        />
        {text && <IconButton icon={X} label={say("search.clear")} onClick={leave} />}
      </form>
      <div className="offered menu" hidden={offered.length === 0}>
        <ul id={`${id}l`} role="listbox" aria-label={say("search.suggestions")}>
          {offered.map((one, at) => (
            <li
              key={one.text}
              id={`${id}l${at}`}
              role="option"
              aria-selected={at === marked}
              // Before the field is left, which would close this.
              onMouseDown={(event) => {
                event.preventDefault();
                write(one.text);
              }}
            >
              <bdi>{one.label}</bdi>
              {one.hint && <bdi className="soft small">{one.hint}</bdi>}
            </li>
          ))}
        </ul>
        {!text.trim() && (
          <button
            type="button"
            className="search-forget soft small"
            onMouseDown={(event) => {
              event.preventDefault();
              void forgetRecent(queries);
            }}
          >
            {say("search.forgetRecent")}
          </button>
        )}
      </div>
    </search>
  );
}
