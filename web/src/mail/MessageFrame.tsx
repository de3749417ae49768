/**
 * A message as its sender made it, in a frame that has no origin: whatever ran in it could read no
 * cookie, ask for nothing with the session, and reach nothing here. By the page's policy nothing
 * runs but the server's own lines, which tell how high the page is and which keys are pressed.
 */

import { useEffect, useRef, useState } from "react";

import { useSay } from "../strings/use";

const LEAST = 60;
const MOST = 30_000;
const FAILED_MILLISECONDS = 1_000;

interface Props {
  id: string;
  images: boolean;
  sender: string;
  onMeasured?: () => void; // it is known how high it is, or will not be
}

export function MessageFrame({ id, images, sender, onMeasured }: Props) {
  const say = useSay();
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(240);

  useEffect(() => {
    const hear = (event: MessageEvent<unknown>) => {
      if (!frame.current || event.source !== frame.current.contentWindow) return;
      const told = read(event.data);
      if (told.height !== undefined) {
        setHeight(Math.min(MOST, Math.max(LEAST, Math.ceil(told.height) + 4)));
        onMeasured?.();
      }
      if (told.key !== undefined && document.activeElement === frame.current)
        document.dispatchEvent(new KeyboardEvent("keydown", { key: told.key, bubbles: true }));
    };
    window.addEventListener("message", hear);
    return () => window.removeEventListener("message", hear);
  }, [onMeasured]);

  return (
    <iframe
      ref={frame}
      className="frame"
      title={say("read.frame", { sender })}
      src={`/api/v1/messages/${id}/html${images ? "?images=allow" : ""}`}
      sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"
      referrerPolicy="no-referrer"
      style={{ height }}
      // A page that is none of ours (that something failed) tells nothing.
      onLoad={() => onMeasured && window.setTimeout(onMeasured, FAILED_MILLISECONDS)}
    />
  );
}

/** What a frame says, which is to be believed in nothing but its kind. */
function read(data: unknown): { height?: number; key?: string } {
  if (typeof data !== "object" || data === null) return {};
  const { height, key } = data as Record<string, unknown>;
  return {
    height: typeof height === "number" && Number.isFinite(height) ? height : undefined,
    key: typeof key === "string" ? key : undefined,
  };
}
