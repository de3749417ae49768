/** Files that are being attached to a message, with how far each has come. */

import { useRef, useState } from "react";

import { useSay } from "../strings/use";
import { toast } from "../ui/toasts";
import type { Attached } from "./draft";
import { find, write } from "./drafts";
import { Stopped, upload } from "./uploads";

interface Coming {
  key: string;
  name: string;
  done: number;
  stop: () => void;
}

export interface Attaching {
  coming: Coming[];
  /** Pictures may stand among the words, other files do not. */
  attach: (files: File[], inWords: boolean) => void;
}

export function useAttaching(key: string, onPicture: (one: Attached) => void): Attaching {
  const say = useSay();
  const [coming, setComing] = useState<Coming[]>([]);
  const count = useRef(0);

  const bring = async (file: File, inWords: boolean) => {
    const mine = `${++count.current}`;
    const { done, stop } = upload(file, (far) =>
      setComing((all) => all.map((one) => (one.key === mine ? { ...one, done: far } : one))),
    );
    setComing((all) => [...all, { key: mine, name: file.name, done: 0, stop }]);
    try {
      const attached = await done;
      const draft = find(key);
      if (!draft) return;
      const isPicture = inWords && !draft.plain && file.type.startsWith("image/");
      const one = isPicture ? { ...attached, contentId: attached.id } : attached;
      write(key, { attachments: [...draft.attachments, one] });
      if (isPicture) onPicture(one);
    } catch (error) {
      if (error instanceof Stopped) return;
      const detail = error instanceof Error ? error.message : String(error);
      toast(say("compose.notAttached", { name: file.name, detail }));
    } finally {
      setComing((all) => all.filter((one) => one.key !== mine));
    }
  };
  return {
    coming,
    attach: (files, inWords) => {
      for (const file of files) void bring(file, inWords);
    },
  };
}
