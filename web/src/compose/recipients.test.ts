import { describe, expect, it } from "vitest";

import { people } from "./recipients";

describe("recipients as people write them", () => {
  it("are found one by one between commas, semicolons and line ends", () => {
    expect(
      people("ada@example.org; Grace Hopper <grace@example.org>,\nbob@example.org").found,
    ).toEqual([
      { name: "", email: "ada@example.org" },
      { name: "Grace Hopper", email: "grace@example.org" },
      { name: "", email: "bob@example.org" },
    ]);
  });

  it("may have a comma in a name that is quoted", () => {
    expect(people('"Hopper, Grace" <grace@example.org>').found).toEqual([
      { name: "Hopper, Grace", email: "grace@example.org" },
    ]);
  });

  it("leave what is no address to be mended", () => {
    expect(people("ada@example.org, nobody")).toEqual({
      found: [{ name: "", email: "ada@example.org" }],
      left: "nobody",
    });
  });
});
