import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type pg from "pg";
import {
  ExportDamagedError,
  exportDifferences,
  ExportIncompleteError,
  ExportRunIdError,
  ExportTakenError,
  readManifest,
  verifyExport,
} from "../../../databases/postgres/export.ts";
import { manifestPath, stemOf } from "../../../databases/shared/export-file.ts";
import { CsvCounter, csvRow, linesOf } from "../../../databases/shared/export-format.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let base: pg.Client;
let current: pg.Client;
let folders: string;
let folder: string;
let turn = 0;

const AWKWARD = 'a "quoted", comma\r\nnew line \u2028 and \u{1F600}';

beforeAll(async () => {
  server = await ownServer();
  folders = await mkdtemp(join(tmpdir(), "backout-export-"));
  const first = await server.create("origin");
  await first.query(`CREATE TABLE items (id int PRIMARY KEY, t text, j json, b bytea); INSERT INTO items SELECT g, 'x', '{"a":  1}', '\\x00' FROM generate_series(1, 20) g;
    CREATE TABLE "weird/na me" (a text); CREATE TABLE same (id int PRIMARY KEY); INSERT INTO same VALUES (1)`);
  await first.end();
  current = await server.create("later", "origin");
  await current.query("UPDATE items SET t = NULL WHERE id = 1; DELETE FROM items WHERE id = 2");
  await current.query("INSERT INTO items (id, t) VALUES (100, $1), (101, '')", [AWKWARD]);
  await current.query(`INSERT INTO "weird/na me" VALUES ('=1+1'), ('=1+1')`);
  base = await server.open("origin");
}, 120_000);

beforeEach(() => {
  folder = join(folders, `${++turn}`);
});

afterAll(async () => {
  await server.remove();
  await rm(folders, { recursive: true, force: true });
});

/** The session with one stream refused. */
function refusingAStream(client: pg.Client): pg.Client {
  let refused = false;
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "query") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return (...args: unknown[]) => {
        const text = (args[0] as { text?: string }).text ?? "";
        if (!refused && text.includes("ORDER BY convert_to")) {
          refused = true;
          throw Object.assign(new Error("terminating connection"), { code: "57P01" });
        }
        return (target.query as (...all: unknown[]) => unknown)(...args);
      };
    },
  });
}

test("an export that breaks off leaves no manifest and no partial file, and is made anew", async () => {
  await expect(exportDifferences({ base, current: refusingAStream(current), folder, runId: "r1" })).rejects.toThrow(
    "terminating connection",
  );
  expect(await readManifest(folder, "r1")).toBeNull();
  expect((await readdir(folder)).filter((name) => name.includes("partial"))).toEqual([]);
  await writeFile(join(folder, ".r1.items.jsonl.partial"), "left by a kill", { mode: 0o644 });
  await chmod(join(folder, ".r1.items.jsonl.partial"), 0o644);
  const files = await exportDifferences({ base, current, folder, runId: "r1" });
  expect(files).toHaveLength(4);
  expect((await stat(files[0]!.path)).mode & 0o777).toBe(0o600);
});

test("a run id that is no file name is refused", async () => {
  for (const runId of ["../r1", "", "a/b", ".hidden", "a\nb"]) {
    await expect(exportDifferences({ base, current, folder, runId })).rejects.toThrow(ExportRunIdError);
  }
});

test("a changed, shortened or missing file of a finished export is noticed, and nothing is overwritten", async () => {
  const [first] = await exportDifferences({ base, current, folder, runId: "r2" });
  const whole = await readFile(first!.path);
  await appendFile(first!.path, "x");
  await expect(exportDifferences({ base, current, folder, runId: "r2" })).rejects.toThrow(ExportDamagedError);
  await writeFile(first!.path, whole.subarray(0, whole.indexOf(10) + 1));
  await expect(verifyExport(folder, "r2")).rejects.toThrow(/sha256/);
  await rm(first!.path);
  await expect(verifyExport(folder, "r2")).rejects.toThrow(ExportDamagedError);
  await writeFile(manifestPath(folder, "r2"), "{");
  await expect(exportDifferences({ base, current, folder, runId: "r2" })).rejects.toThrow(ExportDamagedError);
});

test("a run id stands for one pair of databases and one choice of tables", async () => {
  await exportDifferences({ base, current, tables: ["items"], folder, runId: "r3" });
  await expect(exportDifferences({ base: current, current: base, tables: ["items"], folder, runId: "r3" })).rejects.toThrow(
    ExportTakenError,
  );
  await expect(exportDifferences({ base, current, tables: ["items", "same"], folder, runId: "r3" })).rejects.toThrow(/made without same/);
  await expect(exportDifferences({ base, current, folder, runId: "r3" })).rejects.toThrow(ExportTakenError);
});

test("the error for an incomplete export tells both counts", () => {
  const error = new ExportIncompleteError("r", "items", { inserted: 2, updated: 1, deleted: 0 }, { insert: 1, update: 1, delete: 0 });
  expect(error.message).toContain("compared 2 inserted, 1 updated, 0 deleted; the file holds 1 insert, 1 update, 0 delete");
  expect(error).toMatchObject({ expected: { inserted: 2 }, found: { insert: 1 } });
});

test("JSON Lines and CSV hold every difference, with sha256 and row counts, readable by the owner only", async () => {
  const files = await exportDifferences({ base, current, folder, runId: "r4" });
  expect(files.map(({ path, table, kind, rows }) => [basename(path), table, kind, rows])).toEqual([
    ["r4.items.jsonl", "items", "jsonl", 4],
    ["r4.items.csv", "items", "csv", 3],
    [`${stemOf("r4", "weird/na me")}.jsonl`, "weird/na me", "jsonl", 2],
    [`${stemOf("r4", "weird/na me")}.csv`, "weird/na me", "csv", 2],
  ]);
  for (const { path, sha256 } of files) {
    expect(
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ).toBe(sha256);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  }
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  const lines = (await readFile(files[0]!.path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toContainEqual({ op: "insert", key: { id: "100" }, row: { id: "100", t: AWKWARD, j: null, b: null }, before: null });
  const one = { id: "1", t: "x", j: '{"a":  1}', b: "\\x00" };
  expect(lines).toContainEqual({ op: "update", key: { id: "1" }, row: { ...one, t: null }, before: one });
  const csv = await readFile(files[1]!.path, "utf8");
  expect(csv.startsWith("op,id,t,j,b\r\n")).toBe(true);
  expect(csv).toContain(`insert,100,"${AWKWARD.replaceAll('"', '""')}",,\r\n`);
  expect(csv).toContain('insert,101,"",,\r\n');
  expect(csv).toContain('update,1,,"{""a"":  1}",\\x00\r\n');
  const manifest = (await readManifest(folder, "r4"))!;
  expect(manifest).toMatchObject({ format: 1, runId: "r4", base: { database: "origin" }, current: { database: "later" } });
  expect(manifest.tables["same"]).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
  expect(manifest.tables["items"]?.columns[1]).toEqual({ name: "t", type: "text" });
});

test("a second call verifies the same export and returns it", async () => {
  const files = await exportDifferences({ base, current, folder, runId: "r5" });
  const { mtimeMs } = await stat(files[0]!.path);
  expect(await exportDifferences({ base, current, folder, runId: "r5" })).toEqual(files);
  expect((await stat(files[0]!.path)).mtimeMs).toBe(mtimeMs);
  expect(await exportDifferences({ base, current, tables: ["items"], folder, runId: "r5" })).toEqual(files);
});

test("lines are split at line feeds alone, across chunks and characters", async () => {
  const text = '{"a":"\u2028\u2029\u0085"}\n\n{"b":"\u{1F600}"}';
  const bytes = Buffer.from(text);
  async function* byByte() {
    for (const byte of bytes) yield await Promise.resolve(Buffer.from([byte]));
  }
  const lines: string[] = [];
  for await (const line of linesOf(byByte())) lines.push(line);
  expect(lines).toEqual(text.split("\n"));
});

test("CSV records are counted with line breaks inside quotes", () => {
  const counter = new CsvCounter();
  const record = csvRow("insert", ["a", "b"], { a: 'x"\n"y', b: null });
  for (const byte of Buffer.from(record.repeat(3))) counter.add(Buffer.from([byte]));
  expect(counter.records).toBe(3);
});

test("large rows are exported a few at a time: memory does not grow with their number", { timeout: 120_000 }, async () => {
  const client = await server.create("large");
  await client.query("CREATE TABLE large (id int PRIMARY KEY, t text)");
  await client.end();
  const now = await server.create("large_now", "large");
  await now.query("INSERT INTO large SELECT g, repeat(md5(g::text), 32768) FROM generate_series(1, 150) g");
  const before = process.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  const files = await exportDifferences({ base: await server.open("large"), current: now, folder, runId: "large" });
  clearInterval(watch);
  expect(files.map(({ rows }) => rows)).toEqual([150, 150]);
  expect((most - before) / 1e6).toBeLessThan(250);
});
