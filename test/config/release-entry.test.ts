/** What enters the ledger, and what has to stay in it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editPins } from "../../config/edit.ts";
import { ledgerOrder } from "../../config/ledger.ts";
import { entryEdits, neededBecause, schemaOf, settingsOf, type ReleaseEntry } from "../../config/release-entry.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";

const migration = (name: string) => ({ name, path: name });
const databases = {
  shop: { migrations: [migration("1_items"), migration("2_orders")] },
  log: { migrations: [] },
} as unknown as SystemDefinition["databases"];
const only = { shop: databases["shop"]! };

describe("the migration that a release needs", () => {
  test("is the newest one of each database that has any, unless another is given", () => {
    expect(schemaOf({ databases }, [])).toEqual({ shop: "2_orders" });
    expect(schemaOf({ databases }, ["shop=1_items"])).toEqual({ shop: "1_items" });
    expect(schemaOf({ databases: only }, ["1_items"])).toEqual({ shop: "1_items" });
  });

  test.each([
    ["shp=1_items", /<database>=<migration>; databases: shop, log \(did you mean `shop`\?\)/],
    ["1_items", /<database>=<migration>/],
    ["shop=1_item", /shop has no such migration, only 1_items, 2_orders \(did you mean `1_items`\?\)/],
    ["log=1_items", /log has no such migration, only none/],
  ])("%s is refused", (given, message) => expect(() => schemaOf({ databases }, [given])).toThrow(message));
});

describe("settings", () => {
  test("are for every service, or for the one they name; a value may hold anything", () => {
    expect(settingsOf(["api", "web"], ["MODE=a=b:c", "api:URL=http://x:1"])).toEqual({
      api: { MODE: "a=b:c", URL: "http://x:1" },
      web: { MODE: "a=b:c" },
    });
  });

  test.each(["MODE", "=x", "wep:MODE=x"])("%s is refused", (given) => expect(() => settingsOf(["api", "web"], [given])).toThrow(given));
});

const entry: ReleaseEntry = { schema: { shop: "2_orders" }, services: { api: { path: "dist", sha256: "0".repeat(64) } } };

describe("entering a release", () => {
  test("the first one is the pin as well, the next ones are not", () => {
    expect(entryEdits(null, "v1", entry).map(({ path }) => path)).toEqual([["releases", "v1"], ["release"]]);
    expect(entryEdits({ releases: {} }, "v1", entry).map(({ path }) => path)).toEqual([["releases", "v1"]]);
  });

  test("the same content changes nothing, other content is refused with what differs", () => {
    const releases = { v1: entry };
    expect(entryEdits({ releases }, "v1", structuredClone(entry))).toEqual([]);
    const other = { ...entry, services: { api: { path: "dist", sha256: "1".repeat(64), config: { MODE: "x" } } } };
    expect(() => entryEdits({ releases }, "v1", other)).toThrow(
      /v1 is in the ledger with other content: services\.api\.sha256 is 0+, not 1+; services\.api\.config\.MODE differs\..*another name/,
    );
  });

  test("every name that a release may have comes last in the file and is read as written; nothing else changes", () => {
    const text = "# Ours.\nconfig:\n  # Oldest first.\n  backout:releases:\n    v0: {services: {}} # the first\n  other:key: 1.10\n";
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/), (name) => {
        fc.pre(name !== "v0");
        const edited = editPins(text, entryEdits({ releases: {} }, name, entry));
        expect(ledgerOrder(edited)).toEqual(["v0", name]);
        for (const line of text.split("\n")) expect(edited.split("\n")).toContain(line);
      }),
    );
  });
});

test("what is pinned, runs, or is a way back stays", () => {
  const use = { config: { release: "v3", services: { api: { release: "v2" } } }, running: ["v4"], before: ["v5"], back: "v1" };
  expect(["v3", "v2", "v4", "v1", "v5", "v0"].map((release) => neededBecause(release, use))).toEqual([
    "it is pinned by backout:release",
    "it is pinned by backout:services.api.release",
    "it runs",
    "a rollback goes back to it",
    "an undo goes back to it",
    null,
  ]);
});
