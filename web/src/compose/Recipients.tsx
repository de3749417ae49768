import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useId, useState } from "react";

import { api, must, type Person } from "../api/client";
import { written } from "../mail/people";
import { useSay } from "../strings/use";
import { people } from "./recipients";

interface Props {
  label: string;
  chosen: Person[];
  onChange: (chosen: Person[]) => void;
  focus?: boolean;
}

/** Everybody a message goes to, as chips; what is written becomes one at a comma, or on leaving. */
export function Recipients({ label, chosen, onChange, focus = false }: Props) {
  const say = useSay();
  const id = useId();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");

  const { data: known = [] } = useQuery({
    queryKey: ["people", text.trim()],
    queryFn: async ({ signal }) =>
      (
        await must(
          api.GET("/api/v1/suggestions/people", {
            params: { query: { prefix: text.trim(), limit: 6 } },
            signal,
          }),
        )
      ).items,
    enabled: text.trim().length > 0,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
  const offered = text.trim()
    ? known.filter((one) => !chosen.some((other) => other.email === one.email))
    : [];
  const [marked, setMarked] = useState(-1);
  const choose = (person: Person) => {
    onChange([...chosen, { name: person.name, email: person.email }]);
    setText("");
    setWrong("");
    setMarked(-1);
  };

  const take = (given: string) => {
    const { found, left } = people(given);
    if (found.length) onChange([...chosen, ...found]);
    setText(left);
    setWrong(left);
  };

  return (
    <div className="recipients">
      <label htmlFor={id}>{label}</label>
      <ul>
        {chosen.map((one, at) => (
          <li className="chip" key={`${one.email}${at}`} title={written(one)}>
            <bdi>{one.name || one.email}</bdi>
            <button
              type="button"
              aria-label={say("compose.remove", { name: one.name || one.email })}
              onClick={() => onChange(chosen.filter((_, other) => other !== at))}
            >
              <X size={13} aria-hidden />
            </button>
          </li>
        ))}
        <li className="recipients-new">
          <input
            id={id}
            type="text"
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={offered.length > 0}
            aria-controls={`${id}l`}
            aria-activedescendant={offered[marked] ? `${id}l${marked}` : undefined}
            inputMode="email"
            autoComplete="off"
            spellCheck={false}
            // Who opens a composer wants to say to whom.
            // eslint-disable-next-line jsx-a11y/no-autofocus
            autoFocus={focus}
            value={text}
            aria-invalid={wrong !== ""}
            aria-describedby={wrong ? `${id}w` : undefined}
            onChange={(event) => {
              setText(event.target.value);
              setWrong("");
              setMarked(-1);
            }}
            onBlur={() => take(text)}
            onPaste={(event) => {
              const pasted = event.clipboardData.getData("text");
              if (people(pasted).found.length) {
                event.preventDefault();
                take(text + pasted);
              }
            }}
            onKeyDown={(event) => {
              const person = offered[marked];
              if (person && (event.key === "Enter" || event.key === "Tab")) {
                event.preventDefault();
                choose(person);
              } else if (offered.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
                event.preventDefault();
                const by = event.key === "ArrowDown" ? 1 : -1;
                setMarked((marked + by + offered.length) % offered.length);
              } else if (["Enter", ",", ";"].includes(event.key) && text.trim()) {
                event.preventDefault();
                take(text);
              } else if (event.key === "Backspace" && !text && chosen.length) {
                onChange(chosen.slice(0, -1));
              }
            }}
          />
          <ul
            className="offered menu"
            id={`${id}l`}
            role="listbox"
            aria-label={say("compose.suggestions")}
            hidden={offered.length === 0}
          >
            {offered.map((one, at) => (
              <li
                key={one.email}
                id={`${id}l${at}`}
                role="option"
                aria-selected={at === marked}
                // Before the field is left, which would take what is written in it.
                onMouseDown={(event) => {
                  event.preventDefault();
                  choose(one);
                }}
              >
                <bdi>{written(one)}</bdi>
              </li>
            ))}
          </ul>
        </li>
      </ul>
      {wrong && (
        <p className="wrong" id={`${id}w`} role="alert">
          {say("compose.notAddress", { text: wrong })}
        </p>
      )}
    </div>
  );
}
