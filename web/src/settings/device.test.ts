import { expect, it } from "vitest";

import { deviceOf } from "./device";

const say = (id: string, values?: Record<string, string | number>) =>
  values ? `${values.browser} on ${values.system}` : id;

it.each([
  [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Firefox on Linux",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Safari on iOS",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Microsoft Edge on Windows",
  ],
  ["curl/8.14.1", "curl/8.14.1"],
  ["python-httpx/0.28 of mine", "python-httpx/0.28"],
  ["", "state.other"],
])("a session is called what people call their browser: %s", (client, name) => {
  expect(deviceOf(client, say)).toBe(name);
});
