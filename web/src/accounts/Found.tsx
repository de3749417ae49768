import type { StringId } from "../strings/en";
import { useSay } from "../strings/use";
import { type Discovery, firstSteps, takesNoPassword, toConfirm } from "./discovery";

interface Props {
  found: Discovery | undefined;
  isLooking: boolean;
}

/** What was found for the address, and what has to be done before a password is of use. */
export function Found({ found, isLooking }: Props) {
  const say = useSay();
  const steps = firstSteps(found);
  const hosts = toConfirm(found);
  return (
    <div role="status" className="found">
      {isLooking && <p className="soft">{say("connect.looking")}</p>}
      {found && !isLooking && <p className="soft">{say(...summary(found))}</p>}
      {found?.warning && <p className="note">{say(`connect.warning.${found.warning}`)}</p>}
      {takesNoPassword(found) && <p className="note">{say("connect.oauth2")}</p>}
      {hosts.length > 0 && (
        <p className="note">{say("connect.confirm", { hosts: hosts.join(", ") })}</p>
      )}
      {steps.length > 0 && (
        <div className="note">
          <strong>{say("connect.first_steps")}</strong>
          <ol>
            {steps.map((step) => (
              <li key={step.text}>
                {step.text}{" "}
                {step.link && (
                  <a href={step.link} target="_blank" rel="noreferrer">
                    {say("connect.how")}
                  </a>
                )}
              </li>
            ))}
          </ol>
        </div>
      )}
    </div>
  );
}

function summary(found: Discovery): [StringId, Record<string, string>] {
  const provider = found.provider?.title;
  const host = found.imap[0]?.server.host;
  if (provider) return ["connect.found.provider", { provider }];
  if (host) return ["connect.found.servers", { host }];
  return ["connect.found.nothing", {}];
}
