import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, must } from "../api/client";
import { useSay } from "../strings/use";
import { Trouble } from "../ui/Form";
import { useTitle } from "../ui/useTitle";
import { accountsQuery, meQuery, useSignOut } from "./session";

/** Who has to show first that an address is theirs: a link was sent there. */
export function UnverifiedPage() {
  const say = useSay();
  useTitle(say("unverified.title"));
  const queries = useQueryClient();
  const signOut = useSignOut();
  const { data: me } = useQuery(meQuery);
  const sending = useMutation({
    mutationFn: async () => must(api.POST("/api/v1/me/verify-email")),
  });
  return (
    <main className="page">
      <div>
        <h1>{say("unverified.title")}</h1>
        <p className="soft">{say("unverified.intro", { email: me?.email ?? "" })}</p>
      </div>
      <section className="card" aria-label={say("unverified.title")}>
        <Trouble of={sending.error} />
        {sending.isSuccess && (
          <p className="note" role="status">
            {say("unverified.sent")}
          </p>
        )}
        <button
          type="button"
          className="button first"
          onClick={() => void queries.resetQueries({ queryKey: accountsQuery.queryKey })}
        >
          {say("unverified.followed")}
        </button>
        <button
          type="button"
          className="button"
          disabled={sending.isPending}
          onClick={() => sending.mutate()}
        >
          {say("unverified.again")}
        </button>
        <button type="button" className="button" onClick={() => signOut.mutate()}>
          {say("session.signOut")}
        </button>
      </section>
    </main>
  );
}
