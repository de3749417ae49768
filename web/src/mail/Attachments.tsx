/** What a message carries: looked at here where a browser can show it safely, or taken home. */

import { Download, Paperclip } from "lucide-react";
import { useState } from "react";

import type { OpenMessage } from "../api/client";
import { useSay } from "../strings/use";
import { Size } from "../ui/Size";
import { Preview } from "./Preview";
import { isPicture, previewOf } from "./previews";

type Attachment = OpenMessage["attachments"][number];

export function Attachments({ id, all }: { id: string; all: readonly Attachment[] }) {
  const say = useSay();
  const [looked, setLooked] = useState<Attachment | null>(null);
  const shown = all.filter((one) => !one.inline);
  if (!shown.length) return null;
  const at = (number: number) => `/api/v1/messages/${id}/attachments/${number}`;
  return (
    <section className="attachments" aria-label={say("read.attachments")}>
      <ul>
        {shown.map((one) => {
          const name = one.name || one.content_type;
          const inside = (
            <>
              {isPicture(one) ? (
                <img src={`${at(one.number)}?inline=true`} alt="" loading="lazy" />
              ) : (
                <Paperclip size={18} aria-hidden />
              )}
              <span>
                <bdi>{name}</bdi>
                <span className="soft small">
                  <Size bytes={one.size_bytes} />
                </span>
              </span>
            </>
          );
          return (
            <li key={one.number} className="attachment">
              {previewOf(one) ? (
                <button type="button" className="attachment-look" onClick={() => setLooked(one)}>
                  {inside}
                </button>
              ) : (
                <span className="attachment-look">{inside}</span>
              )}
              <a
                className="icon"
                href={at(one.number)}
                download={one.name}
                aria-label={say("read.download", { name })}
                title={say("read.download", { name })}
              >
                <Download size={17} aria-hidden />
              </a>
            </li>
          );
        })}
      </ul>
      {shown.length > 1 && (
        <a className="button" href={`/api/v1/messages/${id}/attachments.zip`} download>
          <Download size={16} aria-hidden /> {say("act.downloadAll")}
        </a>
      )}
      {looked && <Preview address={at(looked.number)} of={looked} onClose={() => setLooked(null)} />}
    </section>
  );
}
