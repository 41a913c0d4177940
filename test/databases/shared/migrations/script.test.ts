import fc from "fast-check";
import { expect, test } from "vitest";
import { planScript } from "../../../../databases/shared/migrations/script.ts";
import { splitStatements } from "../../../../databases/shared/migrations/statements.ts";
import { NotTransactionalError } from "../../../../databases/shared/migrations/errors.ts";

const PIECES = [
  "SELECT 1",
  "INSERT INTO a VALUES (';', E'\\';', '''')",
  'CREATE TABLE "a;b" (c int)',
  "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$",
  "DO $body$ BEGIN PERFORM $$;$$; END $body$",
  "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; SELECT 2; END",
  "CREATE RULE r AS ON INSERT TO a DO ALSO (INSERT INTO b VALUES (1); DELETE FROM c)",
  "SELECT 1 /* ; /* nested ; */ ; */ + 2 -- ;\n + 3",
  "SELECT a$b$c FROM t",
  "SELECT $1",
];
const GAPS = ["\n", " ", "-- a comment; with ' and $$\n", "/* ; */", "\r\n\r\n"];

test("scripts are split into exactly the statements they were joined from, with their lines", () => {
  const piece = fc.tuple(fc.constantFrom(...GAPS), fc.constantFrom(...PIECES));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, lastSemicolon) => {
      const script = pieces.map(([gap, text]) => gap + text).join(";") + (lastSemicolon && pieces.length > 0 ? ";\n" : "");
      const statements = splitStatements(script);
      expect(statements.map(({ text }) => text)).toEqual(pieces.map(([, text]) => text));
      let at = 0;
      for (const { text, line } of statements) {
        at = script.indexOf(text, at);
        expect(line).toBe(script.slice(0, at).split("\n").length);
        at += text.length;
      }
    }),
  );
});

test("nothing but comments is no statement; an unfinished quote swallows the rest without failing", () => {
  expect(splitStatements("-- nothing\n/* here */ ;; ")).toEqual([]);
  for (const open of ["SELECT 'a; b", 'SELECT "a; b', "SELECT $$a; b", "SELECT 1 /* ; b", "SELECT (1; 2"])
    expect(splitStatements(open)).toHaveLength(1);
});

test.each([
  "CREATE INDEX CONCURRENTLY i ON a (b)",
  "create unique index /* x */ concurrently i on a (b)",
  "DROP INDEX CONCURRENTLY i",
  "REINDEX TABLE CONCURRENTLY a",
  "REINDEX (VERBOSE) DATABASE d",
  "VACUUM FULL a",
  "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
  "CREATE DATABASE d",
  "ALTER SYSTEM SET work_mem = '1MB'",
])("outside of a transaction, alone only: %s", (statement) => {
  expect(planScript("m", statement)).toMatchObject({ transactional: false });
  expect(() => planScript("m", `SELECT 1; ${statement}`)).toThrow(NotTransactionalError);
  expect(() => planScript("m", `SELECT 1;\n${statement}`)).toThrow(/migration m .*line 2.*migration of its own/);
});

test.each([
  "SELECT 1; COMMIT; SELECT 2",
  "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT",
  "ROLLBACK",
  "SELECT 1; END",
  "PREPARE TRANSACTION 'x'",
])("transaction control in the middle is refused: %s", (script) =>
  expect(() => planScript("m", script)).toThrow(/ends or splits the transaction/),
);

test("a BEGIN and COMMIT around the whole are left out; savepoints and words inside literals are no control", () => {
  expect(planScript("m", "BEGIN;\nDROP TABLE a;\nCOMMIT;").statements).toEqual([{ text: "DROP TABLE a", line: 2 }]);
  expect(planScript("m", "START TRANSACTION; SELECT 1; END").statements).toHaveLength(1);
  const script =
    "SAVEPOINT s; ROLLBACK TO SAVEPOINT s; ROLLBACK TO s; RELEASE s; SELECT 'COMMIT'; COMMENT ON TABLE a IS 'vacuum'; CREATE INDEX concurrently_made ON a (b)";
  expect(planScript("m", script)).toMatchObject({ transactional: true });
});
