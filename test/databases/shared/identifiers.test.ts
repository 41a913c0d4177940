import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LARGE_OBJECTS } from "../../../databases/shared/not-compared.ts";
import { compareDatabases } from "../../../databases/postgres/comparison.ts";
import { exportDifferences } from "../../../databases/postgres/export.ts";
import { stemOf } from "../../../databases/shared/export-file.ts";
import { canonicalTable, formatTable, parseTable, qualified, TableNameError, tableNameSql } from "../../../databases/shared/identifiers.ts";
import { captureManifest } from "../../../databases/postgres/manifest.ts";
import { quickStatistics } from "../../../databases/postgres/statistics.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";

let server: OwnServer;

beforeAll(async () => {
  server = await ownServer();
}, 120_000);

afterAll(() => server.remove());

const part = fc.oneof(fc.string({ minLength: 1 }), fc.stringMatching(/^[aA."]{1,4}$/), fc.constant("public"));

test.each(["", ".", "a.", ".a", "a.b.c", 'a"b', '"a', '""', '"a"b', 'a."b'])("%j is no table's name", (name) => {
  expect(() => parseTable(name)).toThrow(TableNameError);
  expect(() => parseTable(name)).toThrow(/write table or schema\.table/);
});

test("a part with a dot or a quote stands in double quotes, as in SQL; every other as it is", () => {
  expect(parseTable("orders")).toEqual({ schema: "public", table: "orders" });
  expect(parseTable("Reports.2026")).toEqual({ schema: "Reports", table: "2026" });
  expect(parseTable('"audit.log"')).toEqual({ schema: "public", table: "audit.log" });
  expect(parseTable('"a.b"."say ""hi"""')).toEqual({ schema: "a.b", table: 'say "hi"' });
  expect(canonicalTable('public."Orders"')).toBe("Orders");
  expect(qualified('"audit.log"')).toBe('"public"."audit.log"');
});

test("different tables have different names and different files, which are read back", () => {
  fc.assert(
    fc.property(part, part, part, part, (schema, table, otherSchema, otherTable) => {
      const name = formatTable({ schema, table });
      expect(parseTable(name)).toEqual({ schema, table });
      const other = formatTable({ schema: otherSchema, table: otherTable });
      expect(name === other).toBe(schema === otherSchema && table === otherTable);
      expect(stemOf("r", name) === stemOf("r", other)).toBe(name === other);
    }),
  );
});

test("files of tables that differ in capitals only, have endless names, or are called like an export's other files, are kept apart", () => {
  const names = [
    "user",
    "User",
    "USER",
    "manifest",
    "conflicts",
    "x".repeat(126),
    "é".repeat(60),
    "é".repeat(61),
    "a/../b",
    "a b",
    "a-b",
    "a~b",
  ];
  const stems = names.map((name) => stemOf("run", name));
  expect(new Set(stems.map((stem) => stem.toLowerCase())).size).toBe(names.length);
  expect(stems[0]).toBe("run.user");
  for (const stem of stems) {
    expect(stem).toMatch(/^[\w.~-]+$/);
    expect(stem.length).toBeLessThan(110);
    expect(["run.manifest", "run.conflicts"]).not.toContain(stem);
  }
});

test('public."audit.log" and the table log of the schema audit are two tables everywhere', async () => {
  const base = await server.create("dots");
  await base.query(`CREATE SCHEMA audit; CREATE TABLE audit.log (id int PRIMARY KEY); CREATE TABLE public."audit.log" (id int PRIMARY KEY);
    CREATE TABLE "say ""hi""" (id int CONSTRAINT "a.b" PRIMARY KEY)`);
  await base.end();
  const current = await server.create("dots_now", "dots");
  await current.query(
    `INSERT INTO audit.log VALUES (1); INSERT INTO public."audit.log" VALUES (1), (2); INSERT INTO "say ""hi""" VALUES (1), (2), (3)`,
  );
  const again = await server.open("dots");
  const compared = await compareDatabases(again, current);
  expect(Object.entries(compared).map(([name, { inserted }]) => [name, inserted])).toEqual([
    ['"audit.log"', 2],
    ['"say ""hi"""', 3],
    ["audit.log", 1],
  ]);
  expect(Object.keys(await compareDatabases(again, current, ['"audit.log"']))).toEqual(['"audit.log"']);
  const folder = await mkdtemp(join(tmpdir(), "backout-names-"));
  try {
    const files = await exportDifferences({ base: again, current, folder, runId: "r" });
    expect(files.map(({ table, kind, rows }) => `${table} ${kind} ${rows}`)).toEqual([
      '"audit.log" jsonl 2',
      '"audit.log" csv 2',
      '"say ""hi""" jsonl 3',
      '"say ""hi""" csv 3',
      "audit.log jsonl 1",
      "audit.log csv 1",
    ]);
    expect(await readdir(folder)).toHaveLength(7);
  } finally {
    await rm(folder, { recursive: true });
  }
  const manifest = await captureManifest(current);
  expect(Object.fromEntries(Object.entries(manifest.tables).map(([name, { rows }]) => [name, rows]))).toEqual({
    '"audit.log"': 2,
    '"say ""hi"""': 3,
    "audit.log": 1,
  });
  expect(Object.keys(manifest.constraints).filter((name) => name.includes("a.b"))).toEqual(['"say ""hi"""."a.b"']);
  expect(Object.keys((await quickStatistics(current, "dots_now")).tables)).toEqual([
    '"audit.log"',
    '"say ""hi"""',
    "audit.log",
    LARGE_OBJECTS,
  ]);
});

test("the server writes names as backout does", async () => {
  const client = await server.open("postgres");
  const names = fc.sample(fc.tuple(part, part), 200).filter((pair) => !pair.join("").includes("\0"));
  const { rows } = await client.query<{ name: string }>(
    `SELECT ${tableNameSql("s", "t")} AS name FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (s, t, place) ORDER BY place`,
    [names.map(([schema]) => schema), names.map(([, table]) => table)],
  );
  expect(rows.map(({ name }) => name)).toEqual(names.map(([schema, table]) => formatTable({ schema, table })));
});
