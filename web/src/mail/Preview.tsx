/** An attachment, looked at: a picture, a PDF in the browser's own viewer, or text as text. */

import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";

import type { OpenMessage } from "../api/client";
import { ApiProblem, type Problem } from "../api/problem";
import { useSay } from "../strings/use";
import { Dialog } from "../ui/Dialog";
import { previewOf } from "./previews";

interface Props {
  address: string;
  of: OpenMessage["attachments"][number];
  onClose: () => void;
}

export function Preview({ address, of: attachment, onClose }: Props) {
  const say = useSay();
  const kind = previewOf(attachment);
  const name = attachment.name || attachment.content_type;
  const inline = `${address}?inline=true`;
  return (
    <Dialog open onClose={onClose} title={name} wide>
      {kind === "picture" && <img className="preview-picture" src={inline} alt={name} />}
      {/* The viewer is the browser's, apart from every page: it does not come into a sandbox. */}
      {kind === "pdf" && <iframe className="preview-pdf" src={inline} title={name} referrerPolicy="no-referrer" />}
      {kind === "text" && <Text address={address} />}
      <a className="button" href={address} download={attachment.name}>
        <Download size={16} aria-hidden /> {say("read.download", { name })}
      </a>
    </Dialog>
  );
}

function Text({ address }: { address: string }) {
  const say = useSay();
  const { data, error } = useQuery({
    queryKey: ["attachment", address],
    queryFn: async ({ signal }) => {
      const answer = await fetch(address, { signal, credentials: "same-origin" });
      if (!answer.ok) throw new ApiProblem((await answer.json()) as Problem);
      return decoded(await answer.arrayBuffer());
    },
    staleTime: Infinity,
  });
  if (error)
    return (
      <p className="note bad" role="alert">
        {say("app.failed", { detail: error.message })}
      </p>
    );
  if (data === undefined) return <div className="ghost ghost-body" role="status" aria-label={say("read.loading")} />;
  return (
    // A region that scrolls can be reached and scrolled with the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="preview-text" tabIndex={0} aria-label={say("read.attachments")}>
      {data}
    </pre>
  );
}

/** UTF-8, or else what Western programs wrote before it. */
function decoded(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return new TextDecoder("windows-1252").decode(bytes);
    throw error;
  }
}
