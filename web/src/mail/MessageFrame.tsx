/**
 * A message as its sender made it, in a frame where nothing can run: neither the sandbox nor the
 * policy of the page (the server's) has scripts, and nothing is loaded but from this server. The
 * origin is left to it, so that images of the message are asked for with the reader's session; this
 * page reads from it how high it is.
 */

import { useEffect, useRef, useState } from "react";

import { pressed } from "../ui/shortcuts";
import { useSay } from "../strings/use";

const LEAST = 60;
const MOST = 30_000;

export function MessageFrame({ id, images, sender }: { id: string; images: boolean; sender: string }) {
  const say = useSay();
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(240);
  const [loaded, setLoaded] = useState(0);

  useEffect(() => {
    const page = frame.current?.contentDocument;
    if (!loaded || !page?.body) return;
    const measure = () => {
      const needed = Math.max(page.body.scrollHeight, page.documentElement.offsetHeight);
      setHeight(Math.min(MOST, Math.max(LEAST, needed + 4)));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(page.body);
    page.addEventListener("keydown", pressed);
    return () => {
      watch.disconnect();
      page.removeEventListener("keydown", pressed);
    };
  }, [loaded]);

  return (
    <iframe
      ref={frame}
      className="frame"
      title={say("read.frame", { sender })}
      src={`/api/v1/messages/${id}/html?images=${images ? "allow" : "block"}`}
      sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"
      referrerPolicy="no-referrer"
      style={{ height }}
      onLoad={() => setLoaded((times) => times + 1)}
    />
  );
}
