import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { type Account, api, must, type Schemas } from "../api/client";
import { When } from "../mail/When";
import { useSay } from "../strings/use";
import { CardGhost } from "../ui/CardGhost";
import { Choice, Trouble } from "../ui/Form";
import { Size } from "../ui/Size";
import type { SectionProps } from "./SettingsPage";

type Export = Schemas["ShownExport"];

const FORMATS = ["mbox", "eml"] as const;

/** Mail to take along: files to download, good for some days. */
export function Exports({ accounts }: SectionProps) {
  const say = useSay();
  const queries = useQueryClient();
  const { data, error, isPending } = useQuery({
    queryKey: ["exports"],
    queryFn: async ({ signal }) => must(api.GET("/api/v1/exports", { signal })),
  });
  const ending = useMutation({
    mutationFn: async (id: string) =>
      must(api.DELETE("/api/v1/exports/{export_id}", { params: { path: { export_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["exports"] }),
  });
  if (isPending) return <CardGhost />;
  return (
    <>
      <section className="card" aria-label={say("settings.exports")}>
        <h2>{say("settings.exports")}</h2>
        <p className="soft">{say("exports.intro")}</p>
        <Trouble of={error ?? ending.error} />
        {data?.items.length === 0 && <p className="soft">{say("exports.none")}</p>}
        <ul className="entries">
          {data?.items.map((one) => (
            <li key={one.id} className="entry">
              <div className="entry-words">
                <strong>
                  <When at={one.created_at} long />
                </strong>
                <p className="soft small">
                  {say("exports.holds", { count: one.message_count })} · <Size bytes={one.size_bytes} /> ·{" "}
                  {say(`exports.format.${one.format}`)} · {say("exports.until")}{" "}
                  <When at={one.expires_at} long />
                </p>
                <Files of={one} accounts={accounts} />
              </div>
              <button type="button" className="button" onClick={() => ending.mutate(one.id)}>
                {say("exports.end")}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <NewExport accounts={accounts} />
    </>
  );
}

function Files({ of, accounts }: { of: Export; accounts: readonly Account[] }) {
  const say = useSay();
  const whose = (id: string | null) => accounts.find((one) => one.id === id)?.email ?? "";
  return (
    <ul className="small">
      {of.files.map((file) => (
        <li key={file.number}>
          <a href={file.link} download>
            {file.number === 0
              ? say("exports.rest")
              : say("exports.file", { number: file.number, account: whose(file.account_id) })}
          </a>{" "}
          {file.number > 0 && (
            <span className="soft">
              <Size bytes={file.size_bytes} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function NewExport({ accounts }: SectionProps) {
  const say = useSay();
  const queries = useQueryClient();
  const [account, setAccount] = useState("");
  const [format, setFormat] = useState<(typeof FORMATS)[number]>("mbox");
  const making = useMutation({
    mutationFn: async () =>
      must(api.POST("/api/v1/exports", { body: { format, ...(account && { account_ids: [account] }) } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["exports"] }),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <section className="card" aria-label={say("exports.make")}>
      <h2>{say("exports.make")}</h2>
      <form onSubmit={submit}>
        <Choice
          label={say("exports.of")}
          value={account}
          among={[["", say("exports.all")], ...accounts.map((one) => [one.id, one.email] as const)]}
          onChange={setAccount}
        />
        <Choice
          label={say("exports.format")}
          value={format}
          among={FORMATS.map((one) => [one, say(`exports.format.${one}`)] as const)}
          onChange={setFormat}
        />
        <Trouble of={making.error} />
        <button type="submit" className="button first" disabled={making.isPending}>
          {say("exports.make")}
        </button>
      </form>
    </section>
  );
}
