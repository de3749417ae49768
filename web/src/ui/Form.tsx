/** What forms are made of: a field with its name and what is wrong with it, and what was refused. */

import { type InputHTMLAttributes, useId } from "react";

import { ApiProblem } from "../api/problem";

/** What was written in a field of a form. */
export const textOf = (form: FormData, name: string): string => {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
};

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  name: string;
  hint?: string;
  error?: Error | null;
}

/** A line to write in; what the server has against it stands below. */
export function Field({ label, name, hint, error, ...rest }: FieldProps) {
  const id = useId();
  const wrong = error instanceof ApiProblem ? error.field(`/${name}`) : undefined;
  const told = [hint && `${id}h`, wrong && `${id}w`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={name}
        aria-invalid={wrong ? true : undefined}
        aria-describedby={told || undefined}
        {...rest}
      />
      {hint && (
        <span className="small soft" id={`${id}h`}>
          {hint}
        </span>
      )}
      {wrong && (
        <span className="wrong" id={`${id}w`}>
          {wrong}
        </span>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  among: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

/** One of several. */
export function Choice<T extends string>({ label, value, among, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value as T)}>
        {among.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

interface TickProps {
  label: string;
  hint?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

/** Yes or no. */
export function Tick({ label, hint, checked, onChange, disabled }: TickProps) {
  return (
    <label className="tick">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span>
        {label}
        {hint && <span className="soft small tick-hint">{hint}</span>}
      </span>
    </label>
  );
}

/** Why something was not done, in the server's words. */
export function Trouble({ of }: { of: Error | null }) {
  if (!of) return null;
  const others =
    of instanceof ApiProblem ? (of.problem.errors ?? []).filter((one) => !one.pointer).map((one) => one.message) : [];
  return (
    <p className="note bad" role="alert">
      {[of.message, ...others].join(" ")}
    </p>
  );
}
