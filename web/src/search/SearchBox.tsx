/** Search as one types: results come with each pause. */

import { useNavigate } from "@tanstack/react-router";
import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";

const PAUSE_MILLISECONDS = 180;

export function SearchBox({ query, scopeName }: { query: string; scopeName: string }) {
  const say = useSay();
  const navigate = useNavigate();
  const [text, setText] = useState(query);
  const [shownFor, setShownFor] = useState(query);
  const timer = useRef(0);
  if (shownFor !== query) {
    // Somebody went elsewhere, or back.
    setShownFor(query);
    if (query !== text.trim()) setText(query);
  }
  useEffect(() => () => window.clearTimeout(timer.current), []);

  const look = (wanted: string) => {
    window.clearTimeout(timer.current);
    void navigate({
      to: "/mail/$scope",
      params: { scope: scopeName },
      search: wanted ? { q: wanted } : {},
      replace: Boolean(query && wanted),
    });
  };

  return (
    <search className="search">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          look(text.trim());
        }}
      >
        <Search size={17} aria-hidden />
        <input
          id="search"
          type="text"
          role="searchbox"
          enterKeyHint="search"
          autoComplete="off"
          spellCheck={false}
          aria-label={say("search.label")}
          placeholder={say("search.placeholder")}
          value={text}
          onChange={(event) => {
            const now = event.target.value;
            setText(now);
            window.clearTimeout(timer.current);
            timer.current = window.setTimeout(() => look(now.trim()), PAUSE_MILLISECONDS);
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              setText("");
              look("");
              event.currentTarget.blur();
            }
          }}
        />
        {text && (
          <IconButton
            icon={X}
            label={say("list.clear")}
            onClick={() => {
              setText("");
              look("");
            }}
          />
        )}
      </form>
    </search>
  );
}
