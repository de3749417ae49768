/** What the API refuses (RFC 9457), and what stood in the way of asking it. */

export interface FieldProblem {
  message: string;
  pointer?: string | null;
  parameter?: string | null;
  code?: string | null;
}

export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id?: string | null;
  position?: number | null; // in the text that was asked for
  errors?: FieldProblem[];
}

export class ApiProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }

  /** What is wrong with one field of the form, by its JSON pointer. */
  field(pointer: string): string | undefined {
    return this.problem.errors?.find((one) => one.pointer === pointer)?.message;
  }
}

/** The server was not reached at all. */
export class Unreached extends Error {}

/** Nothing is shown before an address is shown to be one's own. */
export const isUnverified = (error: unknown): boolean =>
  error instanceof ApiProblem && error.problem.code === "email_unverified";

export const isSignedOut = (error: unknown): boolean =>
  error instanceof ApiProblem && error.problem.status === 401;
