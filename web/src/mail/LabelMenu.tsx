/** Labels of what is chosen: several at once, each given, taken away or left as it is. */

import { Tag } from "lucide-react";
import { Popover } from "radix-ui";
import { type SubmitEvent, useId, useState } from "react";

import type { Message } from "../api/client";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { hasOwn, isForPeople, type KnownLabel, keywordOf, type Label, labelsOf, shownLabel } from "./labels";

interface Props {
  open: boolean;
  onOpen: (open: boolean) => void;
  chosen: () => readonly Message[];
  known: readonly KnownLabel[];
  onLabels: (add: string[], remove: string[]) => void;
}

export function LabelMenu({ open, onOpen, chosen, known, onLabels }: Props) {
  const say = useSay();
  return (
    <Popover.Root open={open} onOpenChange={onOpen}>
      <Popover.Trigger asChild>
        <IconButton icon={Tag} label={say("act.label")} shortcut="l" />
      </Popover.Trigger>
      <Popover.Content className="menu labels" align="end" collisionPadding={8} aria-label={say("act.label")}>
        <Choose
          chosen={chosen()}
          known={known}
          onDone={(add, remove) => {
            onOpen(false);
            if (add.length || remove.length) onLabels(add, remove);
          }}
        />
      </Popover.Content>
    </Popover.Root>
  );
}

interface ChooseProps {
  chosen: readonly Message[];
  known: readonly KnownLabel[];
  onDone: (add: string[], remove: string[]) => void;
}

function Choose({ chosen: given, known, onDone }: ChooseProps) {
  const say = useSay();
  const id = useId();
  const [chosen] = useState(given); // news that come meanwhile change nothing of what is asked
  const [words, setWords] = useState("");
  const [made, setMade] = useState<Label[]>([]);
  const [wanted, setWanted] = useState<ReadonlyMap<string, boolean>>(new Map());
  const accounts = new Set(chosen.map((one) => one.account_id));
  const inKeywords = [...accounts].some((one) => !hasOwn(known, one));

  const all = new Map<string, Label>();
  for (const one of [
    ...made,
    ...chosen.flatMap(labelsOf),
    ...known.filter((one) => accounts.has(one.account_id)).filter(isForPeople),
  ])
    if (!all.has(one.name)) all.set(one.name, one);
  const worn = (name: string) => chosen.filter((one) => labelsOf(one).some((label) => label.name === name)).length;
  const sought = words.trim().toLowerCase();
  const offered = [...all.values()]
    .filter((one) => shownLabel(one, say).toLowerCase().includes(sought))
    .sort((a, b) => shownLabel(a, say).localeCompare(shownLabel(b, say)));
  const isNew = sought !== "" && !offered.some((one) => shownLabel(one, say).toLowerCase() === sought);
  const name = inKeywords ? keywordOf(words) : words.trim();

  const want = (label: string, is: boolean) => setWanted(new Map([...wanted, [label, is]]));
  const make = () => {
    if (!name) return;
    setMade([...made, { kind: inKeywords ? "keyword" : "label", name }]);
    want(name, true);
    setWords("");
  };
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isNew) {
      make();
      return;
    }
    const changes = [...wanted].filter(([label, is]) => worn(label) !== (is ? chosen.length : 0));
    onDone(
      changes.filter(([, is]) => is).map(([label]) => label),
      changes.filter(([, is]) => !is).map(([label]) => label),
    );
  };
  return (
    <form onSubmit={submit}>
      <input
        type="text"
        value={words}
        onChange={(event) => setWords(event.target.value)}
        aria-label={say("label.find")}
        placeholder={say("label.find")}
        aria-describedby={isNew && !name ? id : undefined}
        aria-invalid={isNew && !name ? true : undefined}
        autoComplete="off"
      />
      <ul className="labels-all">
        {offered.map((one) => {
          const some = worn(one.name);
          const is = wanted.get(one.name) ?? some === chosen.length;
          const partly = !wanted.has(one.name) && some > 0 && some < chosen.length;
          return (
            <li key={one.name}>
              <label className="tick">
                <input
                  type="checkbox"
                  checked={is}
                  ref={(box) => {
                    if (box) box.indeterminate = partly;
                  }}
                  onChange={(event) => want(one.name, event.target.checked)}
                />
                <bdi>{shownLabel(one, say)}</bdi>
              </label>
            </li>
          );
        })}
      </ul>
      {isNew && !name && (
        <p className="wrong" id={id}>
          {say("label.notHere")}
        </p>
      )}
      {isNew ? (
        <button type="submit" className="button" disabled={!name}>
          {say("label.make", { name: words.trim() })}
        </button>
      ) : (
        <button type="submit" className="button first">
          {say("label.apply")}
        </button>
      )}
    </form>
  );
}
