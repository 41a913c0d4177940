import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { compareManifests, compareRestored } from "../../../databases/postgres/manifest.ts";
import type { Manifest } from "../../../databases/postgres/manifest-shape.ts";

const EMPTY: Manifest = {
  tables: {},
  sequences: {},
  constraints: {},
  indexes: {},
  triggers: {},
  policies: {},
  rowSecurity: {},
  materializedViews: {},
  views: {},
  functions: {},
  extensions: {},
  columns: {},
};
const INDEX = "CREATE INDEX i ON t (a)";
const BROUGHT = [{ name: "counters", extension: "stats" }];

it.each<[string, Partial<Manifest>, Partial<Manifest>]>([
  ["a stale view that was filled anew", views(3, true), views(4, true)],
  ["an INVALID index that is valid", { indexes: { i: `${INDEX} INVALID` } }, { indexes: { i: INDEX } }],
  ["an INVALID index that was left out", { indexes: { i: `${INDEX} INVALID` } }, {}],
  [
    "another version of an extension, with its views",
    { extensions: { stats: "1.8" }, views: { counters: "SELECT a" }, columns: { "counters.a": "integer" } },
    {
      extensions: { stats: "1.10" },
      views: { counters: "SELECT a, b" },
      columns: { "counters.a": "bigint", "counters.b": "integer" },
    },
  ],
])("of what a dump is restored to, %s is no difference; of any other copy it is", (_what, expected, actual) => {
  expect(compareRestored({ ...EMPTY, ...expected }, { ...EMPTY, ...actual }, BROUGHT)).toEqual([]);
  expect(compareManifests({ ...EMPTY, ...expected }, { ...EMPTY, ...actual })).not.toEqual([]);
});

it.each<[Partial<Manifest>, Partial<Manifest>, string]>([
  [table(3, "1"), table(2, "1"), "table t has rows 2, expected 3"],
  [table(3, "1"), table(3, "2"), "table t has the expected 3 rows, but other content"],
  [table(3, "1"), {}, "table t is missing"],
  [{ sequences: { s: "3" } }, { sequences: { s: "2" } }, "sequence s is 2, expected 3"],
  [views(3, true), {}, "materialized view v is missing"],
  [views(3, true), views(3, false), "materialized view v has populated false, expected true"],
  [views(null, false), views(0, true), "materialized view v has rows 0, expected none"],
  [{ indexes: { i: INDEX } }, {}, "index i is missing"],
  [{ indexes: { i: `${INDEX} INVALID` } }, { indexes: { i: `${INDEX}, b` } }, `index i is ${INDEX}, b, expected ${INDEX} INVALID`],
  [{ indexes: { i: INDEX } }, { indexes: { i: `${INDEX} INVALID` } }, `index i is ${INDEX} INVALID, expected ${INDEX}`],
  [{ extensions: { stats: "1.8" } }, {}, "extension stats is missing"],
  [
    { extensions: { stats: "1.8" }, views: { counters: "SELECT a" } },
    { extensions: { stats: "1.8" }, views: { counters: "SELECT b" } },
    "view counters is SELECT b, expected SELECT a",
  ],
  [
    { extensions: { stats: "1.8" }, columns: { "counters_of_ours.a": "integer" } },
    { extensions: { stats: "1.10" }, columns: { "counters_of_ours.a": "bigint" } },
    "column counters_of_ours.a is bigint, expected integer",
  ],
  [
    { constraints: { c: "CHECK (a OR b) NOT VALID" } },
    { constraints: { c: "CHECK (a OR b)" } },
    "constraint c is CHECK (a OR b), expected CHECK (a OR b) NOT VALID",
  ],
])("everything else is: %#", (expected, actual, difference) => {
  expect(compareRestored({ ...EMPTY, ...expected }, { ...EMPTY, ...actual }, BROUGHT)).toContain(difference);
});

it("a definition in other words is the same, also where only its hash was kept", () => {
  const shown = (cast: string): string => `CREATE FUNCTION f() BEGIN ATOMIC SELECT ${cast}; END`;
  const hash = createHash("md5").update(shown("1")).digest("hex");
  const functions = (text: string): Manifest => ({ ...EMPTY, functions: { "f()": text } });
  expect(compareManifests(functions(shown("(ARRAY[a])::text[]")), functions(shown("ARRAY[(a)::text]")))).toEqual([]);
  expect(compareManifests(functions(hash), functions(shown("1")))).toEqual([]);
  expect(compareManifests(functions(hash), functions(shown("2")))).toHaveLength(1);
  expect(compareManifests(functions(shown("(a OR b) AND c")), functions(shown("a OR (b AND c)")))).toHaveLength(1);
});

function table(rows: number, checksum: string): Partial<Manifest> {
  return { tables: { t: { rows, checksum } } };
}

function views(rows: number | null, populated: boolean): Partial<Manifest> {
  return { materializedViews: { v: { rows, populated } } };
}
