import type { StringId } from "../strings/en";
import { useSay } from "../strings/use";
import { Dialog } from "./Dialog";

const KEYS: [string, StringId][] = [
  ["j", "keys.next"],
  ["k", "keys.previous"],
  ["o", "keys.open"],
  ["u", "keys.back"],
  ["x", "keys.select"],
  ["* a", "keys.selectAll"],
  ["e", "keys.archive"],
  ["#", "keys.delete"],
  ["!", "keys.junk"],
  ["s", "keys.flag"],
  ["l", "keys.label"],
  ["m", "keys.unread"],
  ["z", "keys.undo"],
  ["c", "keys.compose"],
  ["r", "keys.reply"],
  ["a", "keys.replyAll"],
  ["f", "keys.forward"],
  ["/", "keys.search"],
  ["g i", "keys.inbox"],
  ["g t", "keys.sent"],
  ["?", "keys.help"],
];

export function KeyMap() {
  const say = useSay();
  return (
    <div className="keys">
      {KEYS.map(([key, id]) => (
        <div key={key}>
          <span>{say(id)}</span>
          <span>
            {key.split(" ").map((one) => (
              <kbd key={one}>{one}</kbd>
            ))}
          </span>
        </div>
      ))}
    </div>
  );
}

export function KeyboardHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const say = useSay();
  return (
    <Dialog open={open} onClose={onClose} title={say("keys.title")}>
      <KeyMap />
    </Dialog>
  );
}
