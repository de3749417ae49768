/** Sentences in the reader's language, by their id. */

import { type ReactNode, useCallback } from "react";
import { IntlProvider, useIntl } from "react-intl";

import { known, localeOf, preferences } from "../session/preferences";
import { useStore } from "../ui/store";
import { en, type StringId } from "./en";

type Values = Record<string, string | number>;

export type Say = (id: StringId, values?: Values) => string;

export function useSay(): Say {
  const intl = useIntl();
  return useCallback((id, values) => intl.formatMessage({ id }, values), [intl]);
}

export function Strings({ children }: { children: ReactNode }) {
  const { time_zone: zone, language } = useStore(preferences);
  // Dates and numbers as the reader or their browser writes them; sentences in English until there are more.
  return (
    <IntlProvider
      locale={localeOf(language)}
      defaultLocale="en"
      timeZone={known(zone)}
      messages={en}
      onError={() => undefined}
    >
      {children}
    </IntlProvider>
  );
}
