/** What somebody called a message; each leads to all that is called so. */

import { Link } from "@tanstack/react-router";

import type { Message } from "../api/client";
import { useSay } from "../strings/use";
import { type Label, labelsOf, shownLabel } from "./labels";

export function LabelLinks({ message }: { message: Message }) {
  const say = useSay();
  const all = labelsOf(message);
  if (!all.length) return null;
  return (
    <ul className="chips" aria-label={say("read.labels")}>
      {all.map((one) => (
        <li key={one.kind + one.name} className="chip">
          <Link to="/mail/$scope" params={{ scope: "inbox" }} search={{ q: searchFor(one) }}>
            <bdi>{shownLabel(one, say)}</bdi>
          </Link>
        </li>
      ))}
    </ul>
  );
}

const searchFor = ({ name }: Label) => `label:"${name.replaceAll('"', "")}"`;
