import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareEverything } from "../../../databases/postgres/comparison.ts";
import { exportDifferences } from "../../../databases/postgres/export.ts";
import { reapply } from "../../../databases/postgres/reapply.ts";
import { postgresSession } from "../../../databases/postgres/sql-session.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let folder: string;

beforeAll(async () => {
  server = await ownServer();
  folder = await mkdtemp(join(tmpdir(), "backout-bytes-"));
}, 120_000);

afterAll(async () => {
  await server.remove();
  await rm(folder, { recursive: true, force: true });
});

const bytes = (hex: string): string => `convert_from('\\x${hex}', 'SQL_ASCII')`;

test("text of a database without an encoding is exported and put back byte by byte, in rows with a key and without", async () => {
  const admin = await server.open("postgres");
  const make = (name: string, template: string): Promise<unknown> =>
    admin.query(`CREATE DATABASE ${name} TEMPLATE ${template} ENCODING 'SQL_ASCII' LOCALE 'C'`);
  await make("bytes", "template0");
  const first = await server.open("bytes");
  await first.query(`CREATE TABLE words (id int PRIMARY KEY, word text, many text[], raw bytea, yes bool); CREATE TABLE bare (word text);
    INSERT INTO words VALUES (1, ${bytes("67fc6e")}, NULL, '\\x5c00', true), (2, 'plain', '{}', NULL, false), (3, 'gr\u00fcn', NULL, NULL, NULL);
    INSERT INTO bare VALUES (${bytes("ff")}), (${bytes("fe")}), (${bytes("fe")})`);
  await first.end();
  await make("bytes_now", "bytes");
  await make("bytes_live", "bytes");
  const [base, current, live] = [await server.open("bytes"), await server.open("bytes_now"), await server.open("bytes_live")];
  await current.query(`UPDATE words SET word = ${bytes("67fd6e")} WHERE id = 1; UPDATE words SET word = 'back\\slash \u00fc', yes = true WHERE id = 2; DELETE FROM words WHERE id = 3;
    INSERT INTO words VALUES (4, ${bytes("80ff5c27")}, ARRAY[${bytes("e9")}, 'a"b'], '\\xff5c', false); INSERT INTO bare VALUES (${bytes("fd")}); DELETE FROM bare WHERE word = ${bytes("ff")}`);

  expect((await compareEverything(base, current)).tables).toMatchObject({
    words: { inserted: 1, updated: 2, deleted: 1 },
    bare: { inserted: 1, updated: 0, deleted: 1 },
  });
  await exportDifferences({ base, current, folder, runId: "r" });
  const lines = readFileSync(join(folder, "r.words.jsonl"), "utf8").trimEnd().split("\n");
  const parsed = lines.map((line) => JSON.parse(line) as unknown);
  expect(parsed).toContainEqual({
    op: "insert",
    key: { id: "4" },
    before: null,
    row: { id: "4", word: "\\x80ff5c27", many: "\\x7be92c22615c2262227d", raw: "\\xff5c", yes: "f" },
    classes: { row: { word: "invalid text", many: "invalid text" } },
  });
  expect(parsed).toContainEqual({
    op: "update",
    key: { id: "2" },
    before: { id: "2", word: "plain", many: "{}", raw: null, yes: "f" },
    row: { id: "2", word: "back\\slash \u00fc", many: "{}", raw: null, yes: "t" },
  });

  expect(await reapply({ live, folder, runId: "r" })).toMatchObject({
    tables: { words: { inserted: 1, updated: 2, deleted: 1, conflicts: 0 }, bare: { inserted: 1, deleted: 1, conflicts: 0 } },
  });
  const content = `SELECT 'words' AS t, id, encode(convert_to(word, 'SQL_ASCII'), 'hex') AS word, encode(convert_to(many::text, 'SQL_ASCII'), 'hex') AS many, raw::text, yes FROM words
    UNION ALL SELECT 'bare', NULL, encode(convert_to(word, 'SQL_ASCII'), 'hex'), NULL, NULL, NULL FROM bare ORDER BY 1, 2, 3`;
  expect((await live.query(content)).rows).toEqual((await current.query(content)).rows);
});

test("records that outlive a restore are never carried over as other text than they were: the server refuses", async () => {
  const session = postgresSession(await server.open("bytes_now"));
  await expect(session.exact("SELECT word FROM words ORDER BY id")).rejects.toThrow(/invalid byte sequence/);
  expect(await session.exact("SELECT word FROM words WHERE id = 2")).toEqual([{ word: "back\\slash \u00fc" }]);
});
