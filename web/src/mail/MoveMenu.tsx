/** Where messages can be moved to. */

import { FolderInput } from "lucide-react";
import { DropdownMenu } from "radix-ui";

import type { Mailbox } from "../api/client";
import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { ROLE_NAMES } from "./mailboxes";

interface Props {
  targets: readonly Mailbox[];
  onMove: (to: Mailbox) => void;
}

export function MoveMenu({ targets, onMove }: Props) {
  const say = useSay();
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>
        <IconButton icon={FolderInput} label={say("act.move")} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Content className="menu" align="end">
        {targets.map((one) => {
          const known = one.role && ROLE_NAMES[one.role];
          return (
            <DropdownMenu.Item key={one.id} onSelect={() => onMove(one)}>
              {known ? say(known) : one.path}
            </DropdownMenu.Item>
          );
        })}
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}
