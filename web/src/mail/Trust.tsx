/** What the server that took the message found out of its sender (RFC 8601), and of its list. */

import type { OpenMessage } from "../api/client";
import { useSay } from "../strings/use";

interface Props {
  read: OpenMessage;
  onUnsubscribe: (() => void) | null;
}

export function Trust({ read, onUnsubscribe }: Props) {
  const say = useSay();
  const checks = read.authentication.filter((one) => ["dmarc", "dkim", "spf", "arc"].includes(one.method));
  const dmarc = checks.find((one) => one.method === "dmarc");
  const methods = checks.map((one) => `${one.method.toUpperCase()} ${one.result}`).join(", ");
  const list = read.mailing_list;
  return (
    <>
      {dmarc?.result === "fail" && <p className="note bad">{say("read.suspicious", { methods })}</p>}
      <div className="trust soft small">
        {checks.length > 0 && (
          <details>
            <summary>
              {dmarc?.result === "pass" ? say("read.authenticated", { methods }) : say("read.checked", { methods })}
            </summary>
            <ul>
              {checks.map((one, at) => (
                <li key={at}>
                  <strong>
                    {one.method.toUpperCase()}: {one.result}
                  </strong>{" "}
                  {Object.entries(one.properties ?? {})
                    .map(([name, value]) => `${name}=${value}`)
                    .join(" ")}{" "}
                  {one.reason} {one.server && say("read.checkedBy", { server: one.server })}
                </li>
              ))}
            </ul>
          </details>
        )}
        {read.signed && <span>{say("read.signed", { scheme: read.signed })}</span>}
        {read.encrypted && <span>{say("read.encrypted", { scheme: read.encrypted })}</span>}
        {list && (list.name || list.list_id) && (
          <span>{say("read.list", { name: list.name || list.list_id || "" })}</span>
        )}
        {onUnsubscribe && (
          <button type="button" className="link" onClick={onUnsubscribe}>
            {say("act.unsubscribe")}
          </button>
        )}
      </div>
    </>
  );
}
