/** A moment, as short as it can be said; the whole of it for whoever asks. */

import { useIntl } from "react-intl";

import { briefly, dateIn } from "../ui/dates";

export function When({ at, long = false }: { at: string; long?: boolean }) {
  const { locale, timeZone } = useIntl();
  const date = new Date(at);
  return (
    <time dateTime={at} title={dateIn("whole", date, locale, timeZone)}>
      {long ? dateIn("moment", date, locale, timeZone) : briefly(date, new Date(), locale, timeZone)}
    </time>
  );
}
