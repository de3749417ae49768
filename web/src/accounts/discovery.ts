/** Where an address's mail is, asked of the server as the address is typed. */

import { skipToken, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, must, type Schemas } from "../api/client";

export type Discovery = Schemas["Discovery"];
export type Candidate = Schemas["ServerCandidate"];
export type FirstStep = Schemas["FirstStep"];

const PAUSE_MS = 500;
const WHOLE = /^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$/;

/** Whether this may be all of an address. */
export const isWhole = (email: string): boolean => WHOLE.test(email);

/** What is found for an address, once typing pauses. */
export function useDiscovery(email: string) {
  const [settled, setSettled] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(isWhole(email) ? email : ""), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [email]);
  const asked = settled === email ? settled : "";
  const query = useQuery({
    queryKey: ["discover", asked],
    queryFn: asked
      ? ({ signal }) => must(api.POST("/api/v1/discover", { body: { email: asked }, signal }))
      : skipToken,
    staleTime: Infinity,
    retry: false, // whoever waits can enter the servers meanwhile
  });
  return { found: query.data, isLooking: query.isFetching };
}

/** The best candidate of each kind. */
export const best = (found: Discovery | undefined, kind: "imap" | "smtp"): Candidate | undefined =>
  found?.[kind][0];

/** Whether the servers need nobody's eye. */
export const isSure = (found: Discovery | undefined): boolean =>
  (["imap", "smtp"] as const).every((kind) => {
    const candidate = best(found, kind);
    return candidate?.confidence === "high" && !candidate.to_confirm;
  });

/** What has to be done first by whoever signs in with a password here. */
export function firstSteps(found: Discovery | undefined): FirstStep[] {
  const steps = best(found, "imap")?.first ?? found?.provider?.first ?? [];
  return steps.filter((step) => step.only_for !== "oauth2");
}

/** Whether nobody gets in with a password, whatever it is. */
export function takesNoPassword(found: Discovery | undefined): boolean {
  const ways = best(found, "imap")?.sign_in ?? found?.provider?.sign_in;
  return ways !== undefined && ways.length > 0 && ways.every((way) => way === "oauth2");
}

/** Hosts that somebody has to look at: of another domain, named over an open line. */
export const toConfirm = (found: Discovery | undefined): string[] => [
  ...new Set(
    (["imap", "smtp"] as const)
      .map((kind) => best(found, kind))
      .filter((candidate) => candidate?.to_confirm)
      .map((candidate) => candidate?.server.host ?? ""),
  ),
];
