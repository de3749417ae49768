/** Send it now, or at a moment of one's choice. */

import { ChevronDown, Send } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { type SubmitEvent, useState } from "react";
import { useIntl } from "react-intl";

import { useSay } from "../strings/use";
import { Dialog } from "../ui/Dialog";
import { Field, textOf } from "../ui/Form";
import { IconButton } from "../ui/Icon";
import { localTime, moments } from "./moments";

interface Props {
  busy: boolean;
  sending: boolean;
  onSend: (at: Date | null) => void;
}

export function SendButtons({ busy, sending, onSend }: Props) {
  const say = useSay();
  const intl = useIntl();
  const [choosing, setChoosing] = useState(false);
  const [offered, setOffered] = useState<Date[]>([]);
  const pick = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    event.stopPropagation(); // a dialog stands within the form of the message
    const at = new Date(textOf(new FormData(event.currentTarget), "at"));
    if (Number.isNaN(at.getTime())) return;
    setChoosing(false);
    onSend(at);
  };
  return (
    <>
      <button type="submit" className="button first" disabled={busy} title="Ctrl+Enter">
        <Send size={16} aria-hidden />
        {say(sending ? "compose.sending" : "compose.send")}
      </button>
      <DropdownMenu.Root
        modal={false}
        onOpenChange={(isOpen) => {
          if (isOpen) setOffered(moments(new Date()));
        }}
      >
        <DropdownMenu.Trigger asChild>
          <IconButton icon={ChevronDown} label={say("compose.later")} disabled={busy} />
        </DropdownMenu.Trigger>
        <DropdownMenu.Content className="menu" align="start" side="top">
          {offered.map((one) => (
            <DropdownMenu.Item key={one.toISOString()} onSelect={() => onSend(one)}>
              {intl.formatDate(one, { weekday: "long", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" })}
            </DropdownMenu.Item>
          ))}
          <DropdownMenu.Item onSelect={() => setChoosing(true)}>{say("compose.pick")}</DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Root>
      <Dialog open={choosing} onClose={() => setChoosing(false)} title={say("compose.later")}>
        <form className="later" onSubmit={pick}>
          <Field
            label={say("compose.when")}
            name="at"
            type="datetime-local"
            min={localTime(new Date())}
            required
          />
          <button type="submit" className="button first">
            {say("compose.schedule")}
          </button>
        </form>
      </Dialog>
    </>
  );
}
