/** A message as it came: its header fields, and all of it byte for byte. */

import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";

import type { OpenMessage } from "../api/client";
import { ApiProblem, type Problem } from "../api/problem";
import { useSay } from "../strings/use";
import { Dialog } from "../ui/Dialog";

const SHOWN_BYTES = 256 * 1024; // of more, nobody reads

export function Original({ read, onClose }: { read: OpenMessage; onClose: () => void }) {
  const say = useSay();
  const [raw, setRaw] = useState(false);
  return (
    <Dialog open onClose={onClose} title={say(raw ? "act.raw" : "act.headers")} wide>
      <div className="between">
        <button type="button" className="button" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          {say(raw ? "act.headers" : "act.raw")}
        </button>
        <a className="button" href={`/api/v1/messages/${read.id}/raw`} download>
          <Download size={16} aria-hidden /> {say("read.downloadRaw")}
        </a>
      </div>
      {raw ? (
        <Raw id={read.id} />
      ) : (
        <dl className="headers">
          {read.headers.map((one, at) => (
            <div key={at}>
              <dt>{one.name}</dt>
              <dd>
                <bdi>{one.value}</bdi>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Dialog>
  );
}

function Raw({ id }: { id: string }) {
  const say = useSay();
  const { data, error } = useQuery({
    queryKey: ["raw", id],
    queryFn: async ({ signal }) => {
      const answer = await fetch(`/api/v1/messages/${id}/raw`, {
        signal,
        credentials: "same-origin",
        headers: { Range: `bytes=0-${SHOWN_BYTES - 1}` },
      });
      if (!answer.ok) throw new ApiProblem((await answer.json()) as Problem);
      return { text: await answer.text(), whole: wholeOf(answer) };
    },
    staleTime: Infinity,
  });
  if (error)
    return (
      <p className="note bad" role="alert">
        {say("app.failed", { detail: error.message })}
      </p>
    );
  if (!data) return <div className="ghost ghost-body" role="status" aria-label={say("read.loading")} />;
  return (
    <>
      {/* A region that scrolls can be reached and scrolled with the keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="headers-raw" tabIndex={0} aria-label={say("act.raw")}>
        {data.text}
      </pre>
      {!data.whole && <p className="note">{say("read.rawCut")}</p>}
    </>
  );
}

/** Whether a range was all there is (RFC 9110 §14.4). */
function wholeOf(answer: Response): boolean {
  const range = /^bytes 0-(\d+)\/(\d+)$/.exec(answer.headers.get("Content-Range") ?? "");
  return answer.status === 200 || (range !== null && Number(range[1]) + 1 === Number(range[2]));
}
