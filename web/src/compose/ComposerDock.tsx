/** Everything that is being written, at the foot of the page. */

import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo } from "react";
import { useIntl } from "react-intl";

import type { Account } from "../api/client";
import { reached } from "../live/live";
import { preferences } from "../session/preferences";
import { useSay } from "../strings/use";
import { useStore } from "../ui/store";
import { toast } from "../ui/toasts";
import { as, identityOf, isEmpty } from "./draft";
import { drafts, replace, writeAs } from "./drafts";
import { signedBy, useIdentities } from "./identities";
import { hurry, whenSent } from "./saving";
import { remember, takeBack } from "./sent";

const Composer = lazy(async () => ({ default: (await import("./Composer")).Composer }));

export function ComposerDock({ accounts }: { accounts: readonly Account[] }) {
  const open = useStore(drafts);
  const say = useSay();
  const intl = useIntl();
  const queries = useQueryClient();
  const isReached = useStore(reached);
  const { plain_text: plain, reply_to_all: toAll, signature, signature_html } = useStore(preferences);
  const { all } = useIdentities(accounts);
  const identities = useMemo(
    () => all.map((one) => signedBy(one, { signature, signature_html })),
    [all, signature, signature_html],
  );
  useEffect(() => {
    writeAs({ accounts, identities, plain, toAll });
  }, [accounts, identities, plain, toAll]);
  useEffect(() => {
    // Begun before it was known who one may write as.
    for (const draft of drafts.get())
      if (draft.identityId === null && isEmpty(draft)) {
        const identity = identityOf(draft, identities);
        if (identity) replace(draft.key, as(draft, identity));
      }
  }, [identities]);
  useEffect(() => {
    if (isReached) hurry();
  }, [isReached]);
  useEffect(() => {
    const undo = async (submissionId: string) => {
      try {
        await takeBack(submissionId);
        toast(say("app.undone"));
      } catch (error) {
        toast(say("compose.notUndone", { detail: error instanceof Error ? error.message : String(error) }));
      }
    };
    whenSent((draft, submission) => {
      remember(submission.id, draft);
      void queries.invalidateQueries({ queryKey: ["drafts"] });
      void queries.invalidateQueries({ queryKey: ["submissions"] });
      const at = draft.wish?.sendAt;
      const text = at
        ? say("compose.scheduled", {
            date: intl.formatDate(at, { dateStyle: "medium", timeStyle: "short" }),
          })
        : say("compose.sent");
      toast(text, { label: say("app.undo"), run: () => void undo(submission.id) });
    });
  }, [say, intl, queries]);
  const ours = open.filter((one) => accounts.some((account) => account.id === one.accountId));
  if (!ours.length) return null;
  return (
    <aside className="dock" aria-label={say("compose.open")}>
      <Suspense>
        {ours.map((draft) => (
          <Composer key={draft.key} draft={draft} accounts={accounts} identities={identities} />
        ))}
      </Suspense>
    </aside>
  );
}
