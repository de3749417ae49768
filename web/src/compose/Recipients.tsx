import { X } from "lucide-react";
import { useId, useState } from "react";

import type { Person } from "../api/client";
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
              if (["Enter", ",", ";"].includes(event.key) && text.trim()) {
                event.preventDefault();
                take(text);
              } else if (event.key === "Backspace" && !text && chosen.length) {
                onChange(chosen.slice(0, -1));
              }
            }}
          />
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
