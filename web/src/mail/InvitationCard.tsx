/** An invitation in a message: what, when, where, and who comes (RFC 5545, RFC 5546). */

import type { ReactNode } from "react";
import { FormattedDate } from "react-intl";

import type { Schemas } from "../api/client";
import { useSay } from "../strings/use";

type Invitation = Schemas["Invitation"];

export function InvitationCard({ invitation }: { invitation: Invitation }) {
  const say = useSay();
  const people = invitation.attendees ?? [];
  return (
    <section className="invitation" aria-label={say("read.invitation")}>
      <strong>
        <bdi>{invitation.summary || say("read.invitation")}</bdi>
      </strong>
      {invitation.cancelled && <p className="wrong">{say("read.invitation.cancelled")}</p>}
      <dl>
        {invitation.start && <Row name={say("read.invitation.begins")} value={<Time at={invitation.start} />} />}
        {invitation.end && <Row name={say("read.invitation.ends")} value={<Time at={invitation.end} />} />}
        {invitation.rule && <Row name={say("read.invitation.repeats")} value={invitation.rule} />}
        {invitation.location && <Row name={say("read.invitation.place")} value={invitation.location} />}
        {invitation.organiser && (
          <Row
            name={say("read.invitation.organiser")}
            value={invitation.organiser.name || invitation.organiser.email}
          />
        )}
        {people.length > 0 && (
          <Row
            name={say("read.invitation.people", { count: people.length })}
            value={people.map((one) => one.name || one.email).join(", ")}
          />
        )}
      </dl>
    </section>
  );
}

function Row({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt className="soft">{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}

/** A moment in the reader's time; a day, or a time of which no zone is known, as it was written. */
function Time({ at }: { at: NonNullable<Invitation["start"]> }) {
  if (at.at) return <FormattedDate value={at.at} dateStyle="full" timeStyle="short" />;
  return at.local;
}
