import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { meQuery } from "../session/session";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Choice, Field, textOf, Trouble } from "../ui/Form";

type Role = Schemas["Role"];
type Me = Schemas["Me"];

const ROLES: readonly Role[] = ["owner", "admin", "member", "read_only"];

const invitationsQuery = queryOptions({
  queryKey: ["invitations"],
  queryFn: async ({ signal }) => must(api.GET("/api/v1/invitations", { signal })),
});

/** Who belongs to it, as what, and who is asked to. */
export function Members() {
  const say = useSay();
  const queries = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const { data, error, isPending } = useQuery({
    queryKey: ["members"],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/members", { signal })),
  });
  const changing = useMutation({
    mutationFn: async ({ id, role }: { id: string; role: Role | null }): Promise<unknown> => {
      const params = { path: { user_id: id } };
      return role === null
        ? must(api.DELETE("/api/v1/members/{user_id}", { params }))
        : must(api.PATCH("/api/v1/members/{user_id}", { params, body: { role } }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["members"] }),
  });
  const admin = me?.scopes.includes("tenant:admin") ?? false;
  const { isLoading } = useQuery({ ...invitationsQuery, enabled: admin });
  if (isPending || isLoading) return <CardGhost />;
  return (
    <>
      <section className="card" aria-label={say("settings.members")}>
        <h2>{say("settings.members")}</h2>
        <Trouble of={error ?? changing.error} />
        <ul className="entries">
          {data?.items.map((one) => {
            const name = one.name || one.email;
            const mine = me !== undefined && may(me, one.role);
            return (
              <li key={one.id} className="entry">
                <div className="entry-words">
                  <strong>
                    <bdi>{name}</bdi>
                  </strong>
                  <p className="soft small">
                    <bdi>{one.email}</bdi> · {say("members.since")} <When at={one.joined_at} />
                  </p>
                </div>
                {admin && mine ? (
                  <div className="entry-acts">
                    <Choice
                      label={say("members.role", { name })}
                      value={one.role}
                      among={ROLES.filter((role) => may(me, role)).map((role) => [role, say(`role.${role}`)])}
                      onChange={(role) => changing.mutate({ id: one.id, role })}
                    />
                    {one.id !== me.id && (
                      <button
                        type="button"
                        className="button danger"
                        onClick={() => {
                          if (window.confirm(say("members.removeSure", { name })))
                            changing.mutate({ id: one.id, role: null });
                        }}
                      >
                        {say("settings.remove")}
                      </button>
                    )}
                  </div>
                ) : (
                  <span className="soft">{say(`role.${one.role}`)}</span>
                )}
              </li>
            );
          })}
        </ul>
      </section>
      {admin && me && <Invitations me={me} />}
    </>
  );
}

/** Only an owner makes owners, and ends that somebody is one. */
const may = (me: Me, role: Role): boolean => me.tenant.role === "owner" || role !== "owner";

function Invitations({ me }: { me: Me }) {
  const say = useSay();
  const queries = useQueryClient();
  const [role, setRole] = useState<Role>("member");
  const { data, error } = useQuery(invitationsQuery);
  const again = () => queries.invalidateQueries({ queryKey: invitationsQuery.queryKey });
  const inviting = useMutation({
    mutationFn: async (email: string) => must(api.POST("/api/v1/invitations", { body: { email, role } })),
    onSuccess: again,
  });
  const withdrawing = useMutation({
    mutationFn: async (id: string) =>
      must(
        api.DELETE("/api/v1/invitations/{invitation_id}", { params: { path: { invitation_id: id } } }),
      ),
    onSettled: again,
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    inviting.mutate(textOf(new FormData(event.currentTarget), "email"));
  };
  return (
    <section className="card" aria-label={say("members.invite")}>
      <h2>{say("members.invite")}</h2>
      <form onSubmit={submit}>
        <Field label={say("session.email")} name="email" type="email" required error={inviting.error} />
        <Choice
          label={say("members.as")}
          value={role}
          among={ROLES.filter((one) => may(me, one)).map((one) => [one, say(`role.${one}`)])}
          onChange={setRole}
        />
        <Trouble of={error ?? inviting.error ?? withdrawing.error} />
        <button type="submit" className="button" disabled={inviting.isPending}>
          {say("members.send")}
        </button>
      </form>
      {inviting.data && (
        <div className="note" role="status">
          {inviting.data.link ? (
            <>
              <span>{say("members.link", { email: inviting.data.invitation.email })}</span>
              <code className="secret">{inviting.data.link}</code>
            </>
          ) : (
            say("members.mailed", { email: inviting.data.invitation.email })
          )}
        </div>
      )}
      <ul className="entries">
        {data?.items.map((one) => (
          <li key={one.id} className="entry">
            <div className="entry-words">
              <strong>
                <bdi>{one.email}</bdi>
              </strong>
              <p className="soft small">
                {say(`role.${one.role}`)} · {say("tokens.until")} <When at={one.expires_at} long />
              </p>
            </div>
            <button type="button" className="button" onClick={() => withdrawing.mutate(one.id)}>
              {say("members.withdraw")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
