/** Moments at which people like to have things sent. */

const MORNING_HOUR = 8;
const AFTERNOON_HOUR = 13;
const MONDAY = 1;

/** This afternoon, tomorrow morning and afternoon, and Monday morning, as far as they are to come. */
export function moments(now: Date): Date[] {
  const at = (days: number, hour: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const toMonday = (MONDAY - now.getDay() + 7) % 7 || 7;
  const all = [at(0, AFTERNOON_HOUR), at(1, MORNING_HOUR), at(1, AFTERNOON_HOUR), at(toMonday, MORNING_HOUR)];
  return all.filter(
    (one, index) => one > now && all.findIndex((other) => other.getTime() === one.getTime()) === index,
  );
}

/** As a field for date and time has it, in the time of who looks at it. */
export function localTime(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
