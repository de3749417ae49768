import { expect, test } from "vitest";

import type { Identity } from "./draft";
import { signedBy } from "./identities";

const identity: Identity = {
  id: "idn_1",
  account_id: "acc_1",
  name: "Ada",
  email: "me@example.org",
  reply_to: [],
  signature_text: "",
  signature_html: "",
  is_default: true,
  is_own: true,
};
const forAll = { signature: "Yours, Ada", signature_html: "<p>Yours, <b>Ada</b></p>" };

test("who has no signature of their own ends with the one that is for all", () => {
  const signed = signedBy(identity, forAll);
  expect([signed.signature_text, signed.signature_html]).toEqual(["Yours, Ada", "<p>Yours, <b>Ada</b></p>"]);
});

test("one's own signature stays, whichever way it is written", () => {
  const text = { ...identity, signature_text: "A." };
  const html = { ...identity, signature_html: "<p>A.</p>" };
  expect([signedBy(text, forAll), signedBy(html, forAll)]).toEqual([text, html]);
});
