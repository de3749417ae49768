/** A moment, as short as it can be said; the whole of it for whoever asks. */

import { useIntl } from "react-intl";

export function When({ at, long = false }: { at: string; long?: boolean }) {
  const intl = useIntl();
  const date = new Date(at);
  const whole = intl.formatDate(date, { dateStyle: "full", timeStyle: "short" });
  return (
    <time dateTime={at} title={whole}>
      {long ? intl.formatDate(date, { dateStyle: "medium", timeStyle: "short" }) : brief()}
    </time>
  );

  function brief(): string {
    const now = new Date();
    if (date.toDateString() === now.toDateString())
      return intl.formatTime(date, { hour: "numeric", minute: "2-digit" });
    if (date.getFullYear() === now.getFullYear())
      return intl.formatDate(date, { day: "numeric", month: "short" });
    return intl.formatDate(date, { dateStyle: "short" });
  }
}
