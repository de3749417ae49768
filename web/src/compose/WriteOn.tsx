/** A draft in a mailbox for drafts, of whichever program, is written on here. */

import { useMutation, useQuery } from "@tanstack/react-query";

import { api, type Message, must } from "../api/client";
import { mailboxesQuery } from "../mail/mailboxes";
import { useSay } from "../strings/use";
import { Trouble } from "../ui/Form";
import { openKept } from "./saving";

export function WriteOn({ message }: { message: Message }) {
  const say = useSay();
  const { data: mailboxes = [] } = useQuery(mailboxesQuery);
  const opening = useMutation({
    mutationFn: async () => {
      const kept = await must(
        api.POST("/api/v1/drafts", { params: {}, body: { message_id: message.id } }),
      );
      await openKept(kept);
    },
  });
  if (mailboxes.find((one) => one.id === message.mailbox_id)?.role !== "drafts") return null;
  return (
    <>
      <p className="note">
        {say("drafts.isDraft")}
        <button
          type="button"
          className="button"
          disabled={opening.isPending}
          onClick={() => opening.mutate()}
        >
          {say("drafts.writeOn")}
        </button>
      </p>
      <Trouble of={opening.error} />
    </>
  );
}
