/** Sentences in the reader's language, by their id. */

import { type ReactNode, useCallback } from "react";
import { IntlProvider, useIntl } from "react-intl";

import { en, type StringId } from "./en";

type Values = Record<string, string | number>;

export type Say = (id: StringId, values?: Values) => string;

export function useSay(): Say {
  const intl = useIntl();
  return useCallback((id, values) => intl.formatMessage({ id }, values), [intl]);
}

export function Strings({ children }: { children: ReactNode }) {
  // Dates and numbers as the reader's browser writes them; sentences in English until there are more.
  return (
    <IntlProvider locale={navigator.language} defaultLocale="en" messages={en} onError={() => undefined}>
      {children}
    </IntlProvider>
  );
}
