/** Connecting by consent: at the provider's own page, which a link of the server's leads to. */

import { api, must } from "../api/client";
import { best, type Discovery } from "./discovery";

/** The provider that gives access for a consent, by the name it is configured by. */
export const consentAt = (found: Discovery | undefined): string | null =>
  best(found, "imap")?.oauth2 ?? found?.provider?.oauth2 ?? null;

interface Wanted {
  email: string;
  provider?: string;
  account?: string; // one to connect again, with its mail
}

/** Leave for the page on which one consents; it leads back to the mail. */
export async function goAndConsent({ email, provider, account }: Wanted): Promise<void> {
  const link = await must(
    api.POST("/api/v1/connect-links", {
      body: {
        email,
        ...(account && { account_id: account }),
        ...(provider && { providers: [provider] }),
        password_allowed: false,
        return_url: new URL("/mail/inbox", window.location.href).href,
        expires_in: 3600,
      },
    }),
  );
  window.location.assign(link.url);
}
