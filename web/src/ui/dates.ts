/** Writers of dates, one for each way: making one takes a thousand times as long as writing a date. */

const made = new Map<string, Intl.DateTimeFormat>();

const WAYS = {
  time: { hour: "numeric", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
  date: { dateStyle: "short" },
  long: { dateStyle: "medium" },
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  moment: { dateStyle: "medium", timeStyle: "short" },
  whole: { dateStyle: "full", timeStyle: "short" },
  order: { year: "numeric", month: "2-digit", day: "2-digit" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

/** A date in the reader's language and where the reader is. */
export function dateIn(way: keyof typeof WAYS, at: Date, locale: string, timeZone?: string): string {
  const key = `${way} ${locale} ${timeZone ?? ""}`;
  let writer = made.get(key);
  if (!writer) made.set(key, (writer = new Intl.DateTimeFormat(locale, { ...WAYS[way], timeZone })));
  return writer.format(at);
}

const MOMENT = /\d{4}-\d\d-\d\dT\d\d:\d\d(?:Z|[+-]\d\d:\d\d)/g;

/** A text with its moments (RFC 3339, to the minute) said in the reader's words; midnight is a day. */
export function withMoments(text: string, locale: string, timeZone?: string): string {
  return text.replace(MOMENT, (written) => {
    const at = new Date(written);
    const midnight = dateIn("clock", at, "en-GB", timeZone) === "00:00";
    return dateIn(midnight ? "long" : "moment", at, locale, timeZone);
  });
}

/** A moment as short as it can be said: its time today, its day this year, else its date. */
export function briefly(at: Date, now: Date, locale: string, timeZone?: string): string {
  const day = (one: Date) => dateIn("order", one, "en-CA", timeZone); // 2026-11-20
  const [then, today] = [day(at), day(now)];
  if (then === today) return dateIn("time", at, locale, timeZone);
  return dateIn(then.slice(0, 4) === today.slice(0, 4) ? "day" : "date", at, locale, timeZone);
}
