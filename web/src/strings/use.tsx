/** Sentences in the reader's language, by their id. */

import { type ReactNode, useCallback } from "react";
import { IntlProvider, useIntl } from "react-intl";

import { known, preferences } from "../session/preferences";
import { useStore } from "../ui/store";
import { en, type StringId } from "./en";

type Values = Record<string, string | number>;

export type Say = (id: StringId, values?: Values) => string;

export function useSay(): Say {
  const intl = useIntl();
  return useCallback((id, values) => intl.formatMessage({ id }, values), [intl]);
}

export function Strings({ children }: { children: ReactNode }) {
  const zone = known(useStore(preferences).time_zone);
  // Dates and numbers as the reader's browser writes them; sentences in English until there are more.
  return (
    <IntlProvider
      locale={navigator.language}
      defaultLocale="en"
      timeZone={zone}
      messages={en}
      onError={() => undefined}
    >
      {children}
    </IntlProvider>
  );
}
