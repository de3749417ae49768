/** What a search was taken for, term by term; a term can be taken out, and the search kept. */

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { BookmarkPlus, X } from "lucide-react";
import { type SubmitEvent, useId, useState } from "react";
import { useIntl } from "react-intl";

import { api, must } from "../api/client";
import { useSay } from "../strings/use";
import { Dialog } from "../ui/Dialog";
import { IconButton } from "../ui/Icon";
import { withMoments } from "../ui/dates";
import { without } from "./completions";
import { savedQuery, type SavedSearch, understoodQuery } from "./searches";

/** Operators that say best themselves what they mean. */
const PLAIN = new Set(["is", "has"]);

interface Props {
  query: string;
  saved: SavedSearch | undefined; // the saved search that is shown
  onQuery: (query: string) => void;
}

export function Understood({ query, saved, onQuery }: Props) {
  const say = useSay();
  const { locale, timeZone } = useIntl();
  const [saving, setSaving] = useState(false);
  const { data: terms = [], isError, isPending } = useQuery({
    ...understoodQuery(query),
    placeholderData: keepPreviousData,
  });
  const positions = terms.flatMap((one) => one.position ?? []);
  const letters = Array.from(query);
  return (
    <div className="understood" data-settling={isPending || undefined}>
      <ul aria-label={say("search.understood")}>
        {!isError &&
          terms.map((term, at) => {
            const position = term.position;
            const rest = position === null ? null : without(query, positions, position);
            const negated = position ? /(-|\bNOT\s+)$/.test(letters.slice(0, position).join("")) : false;
            const plain = PLAIN.has(term.operator ?? "") ? `${term.operator} ${term.value}` : withMoments(term.meaning, locale, timeZone);
            const meaning = negated ? say("search.not", { meaning: plain }) : plain;
            return (
              <li className="chip" key={`${at}${term.meaning}`}>
                <bdi>{meaning}</bdi>
                {rest && !saved && (
                  <button
                    type="button"
                    aria-label={say("search.takeOut", { meaning })}
                    onClick={() => onQuery(rest)}
                  >
                    <X size={13} aria-hidden />
                  </button>
                )}
              </li>
            );
          })}
      </ul>
      {saved ? (
        <Forget saved={saved} />
      ) : (
        !isError && <IconButton icon={BookmarkPlus} label={say("search.save")} onClick={() => setSaving(true)} />
      )}
      <Save key={String(saving)} open={saving} onClose={() => setSaving(false)} query={query} />
    </div>
  );
}

function Save({ open, onClose, query }: { open: boolean; onClose: () => void; query: string }) {
  const say = useSay();
  const id = useId();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(query);
  const saving = useMutation({
    mutationFn: () => must(api.POST("/api/v1/saved-searches", { body: { name, q: query } })),
    onSuccess: async (saved) => {
      queries.setQueryData(savedQuery.queryKey, (known) =>
        [...(known ?? []), saved].sort((a, b) => a.name.localeCompare(b.name)),
      );
      onClose();
      await navigate({ to: "/mail/$scope", params: { scope: saved.id }, search: {} });
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <Dialog open={open} onClose={onClose} title={say("search.save")}>
      <form onSubmit={submit} className="search-save">
        <div className="field">
          <label htmlFor={id}>{say("search.name")}</label>
          <input
            id={id}
            required
            maxLength={200}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        {saving.error && (
          <p className="wrong" role="alert">
            {saving.error.message}
          </p>
        )}
        <button type="submit" className="button first" disabled={saving.isPending}>
          {say("search.keep")}
        </button>
      </form>
    </Dialog>
  );
}

function Forget({ saved }: { saved: SavedSearch }) {
  const say = useSay();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const forgetting = useMutation({
    mutationFn: () =>
      must(
        api.DELETE("/api/v1/saved-searches/{saved_search_id}", {
          params: { path: { saved_search_id: saved.id } },
        }),
      ),
    onSuccess: async () => {
      await navigate({ to: "/mail/$scope", params: { scope: "inbox" }, search: { q: saved.q } });
      queries.setQueryData(savedQuery.queryKey, (known) => known?.filter((one) => one.id !== saved.id));
    },
  });
  return (
    <button
      type="button"
      className="button"
      disabled={forgetting.isPending}
      onClick={() => forgetting.mutate()}
    >
      {say("search.unsave")}
    </button>
  );
}
