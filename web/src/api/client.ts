/** The one door to the server. Types are generated from its OpenAPI document. */

import createClient from "openapi-fetch";

import { ApiProblem, type Problem, Unreached } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Account = Schemas["ShownAccount"];
export type Mailbox = Schemas["Mailbox"];
export type MailboxRole = Schemas["MailboxRole"];
export type Message = Schemas["Message"];
export type OpenMessage = Schemas["OpenMessage"];
export type MessageChanges = Schemas["MessageChanges"];
export type Person = Schemas["Person"];
export type Job = Schemas["ShownJob"];
export type Submission = Schemas["Submission"];

export const api = createClient<paths>({
  baseUrl: "/",
  credentials: "same-origin",
  fetch: async (request) => {
    try {
      return await fetch(request);
    } catch (error) {
      throw new Unreached("The server cannot be reached.", { cause: error });
    }
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was answered, or an ApiProblem. */
export async function must<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  throw new ApiProblem(
    isProblem(error)
      ? error
      : {
          title: response.statusText,
          status: response.status,
          detail: `The server answered ${response.status}.`,
          code: "unexpected",
        },
  );
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "code" in error && "status" in error;
}
