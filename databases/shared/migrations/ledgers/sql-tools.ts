/** Ledgers of tools that run SQL files. backout can run the files itself and enters what the tool would have entered. */
import { basename } from "node:path";
import { crc32 } from "node:zlib";
import { byNumber } from "../../../../config/migrations/order.ts";
import type { LedgerDescriptor, LedgerEntry } from "./descriptor.ts";
import { digitsOf, flywayVersion, isTrue, numberOf, text } from "./numbers.ts";

function applied(version: string, label = version, checksum = ""): LedgerEntry {
  return { version, label, checksum, state: "applied" };
}

/** As Flyway computes it: over the lines without their ends, as a signed number. */
export function flywayChecksum(script: string): string {
  const lines = script.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  return String(lines.reduce((sum, line) => crc32(line, sum), 0) | 0);
}

/** As Flyway enters it: `V1_01__orders` → `1.01`. */
function writtenVersion(name: string): string {
  return (/^V?(\d+(?:[._]\d+)*)/.exec(name)?.[1] ?? name).replaceAll("_", ".");
}

const INSTALLED = "installed_rank, version, description, type, script, checksum, installed_by, execution_time, success";

export const flyway: LedgerDescriptor = {
  name: "flyway",
  tool: "Flyway",
  table: "flyway_schema_history",
  columns: ["installed_rank", "version", "script", "checksum", "success"],
  read: (table) => `SELECT version, script, type, checksum, success FROM ${table} WHERE version IS NOT NULL ORDER BY installed_rank`,
  entry: (row, known) => {
    const version = flywayVersion(text(row["version"]));
    const type = text(row["type"]);
    const state = !isTrue(row["success"]) ? "unfinished" : /^(UNDO|DELETE)/.test(type) ? "undone" : "applied";
    const entry = { version, label: text(row["script"]).replace(/\.sql$/, "") || version, checksum: text(row["checksum"]), state } as const;
    if (type !== "BASELINE") return entry;
    return {
      ...entry,
      checksum: "",
      covers: known.filter(({ name }) => byNumber(flywayVersion(name), version) < 0).map(({ name }) => name),
    };
  },
  versionOf: flywayVersion,
  writing: {
    create: (table, engine) => [
      {
        sql: `CREATE TABLE IF NOT EXISTS ${table} (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL,
          type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL,
          installed_on TIMESTAMP NOT NULL DEFAULT ${engine === "sqlite" ? "(strftime('%Y-%m-%d %H:%M:%f', 'now'))" : "now()"},
          execution_time INT NOT NULL, success BOOLEAN NOT NULL)`,
        values: [],
      },
    ],
    enter: (table, { name, scripts }, script) => [
      {
        sql: `INSERT INTO ${table} (${INSTALLED}) SELECT coalesce(max(installed_rank), 0) + 1, $1, $2, 'SQL', $3, $4, 'backout', 0, true FROM ${table}`,
        values: [
          writtenVersion(name),
          name.replace(/^V\d+(?:[._]\d+)*__/, "").replaceAll("_", " "),
          scripts === undefined ? `${name}.sql` : basename(scripts.up.path),
          Number(flywayChecksum(script)),
        ],
      },
    ],
    // Earlier versions of backout entered `1.1` for `V1.01`.
    remove: (table, { name }) => ({
      sql: `DELETE FROM ${table} WHERE version IN ($1, $2)`,
      values: [writtenVersion(name), flywayVersion(name)],
    }),
    matches: (script, checksum) => checksum === "" || checksum === flywayChecksum(script),
  },
};

/** A text without a length of its own is how Rails makes the column. */
const LIMITED = /\(\d+\)/;

export const dbmate: LedgerDescriptor = {
  name: "dbmate",
  tool: "dbmate",
  table: "schema_migrations",
  columns: ["version"],
  isOwn: ({ columns, schema }) =>
    Object.keys(columns).length === 1 && LIMITED.test(columns["version"] ?? "") && schema !== "supabase_migrations",
  read: (table) => `SELECT version FROM ${table} ORDER BY version`,
  entry: (row) => applied(text(row["version"])),
  versionOf: digitsOf,
  writing: {
    create: (table) => [{ sql: `CREATE TABLE IF NOT EXISTS ${table} (version varchar(128) PRIMARY KEY)`, values: [] }],
    enter: (table, { name }) => [{ sql: `INSERT INTO ${table} (version) VALUES ($1)`, values: [digitsOf(name)] }],
    remove: (table, { name }) => ({ sql: `DELETE FROM ${table} WHERE version = $1`, values: [digitsOf(name)] }),
  },
};

export const goose: LedgerDescriptor = {
  name: "goose",
  tool: "goose",
  table: "goose_db_version",
  columns: ["id", "version_id", "is_applied"],
  // Older versions entered a second row instead of removing the first one: the last row of a version counts.
  read: (table) =>
    `SELECT version_id, is_applied FROM ${table} g WHERE version_id > 0 AND id = (SELECT max(id) FROM ${table} o WHERE o.version_id = g.version_id) ORDER BY id`,
  entry: (row) => ({ ...applied(text(row["version_id"])), state: isTrue(row["is_applied"]) ? "applied" : "undone" }),
  versionOf: numberOf,
  writing: {
    create: (table, engine) => [
      {
        sql:
          engine === "sqlite"
            ? `CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`
            : `CREATE TABLE IF NOT EXISTS ${table} (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now())`,
        values: [],
      },
      // The tool's own first row.
      {
        sql: `INSERT INTO ${table} (version_id, is_applied) SELECT 0, true WHERE NOT EXISTS (SELECT 1 FROM ${table})`,
        values: [],
      },
    ],
    enter: (table, { name }) => [{ sql: `INSERT INTO ${table} (version_id, is_applied) VALUES ($1, true)`, values: [numberOf(name)] }],
    remove: (table, { name }) => ({ sql: `DELETE FROM ${table} WHERE version_id = $1`, values: [numberOf(name)] }),
  },
};

/** One row: the newest version, and whether its script was left half-way. */
export const golangMigrate: LedgerDescriptor = {
  name: "golang-migrate",
  tool: "golang-migrate",
  table: "schema_migrations",
  columns: ["version", "dirty"],
  read: (table) => `SELECT version, dirty FROM ${table}`,
  entry: (row, known) => {
    const version = text(row["version"]);
    const covers = known.filter(({ name }) => BigInt(numberOf(name)) < BigInt(version)).map(({ name }) => name);
    return { ...applied(version), state: isTrue(row["dirty"]) ? "unfinished" : "applied", covers };
  },
  versionOf: numberOf,
  writing: {
    create: (table) => [
      { sql: `CREATE TABLE IF NOT EXISTS ${table} (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`, values: [] },
    ],
    enter: (table, { name }) => [
      { sql: `DELETE FROM ${table}`, values: [] },
      { sql: `INSERT INTO ${table} (version, dirty) VALUES ($1, false)`, values: [numberOf(name)] },
    ],
    remove: (table, { name, previous }) =>
      previous === undefined
        ? { sql: `DELETE FROM ${table} WHERE version = $1`, values: [numberOf(name)] }
        : { sql: `UPDATE ${table} SET version = $2, dirty = false WHERE version = $1`, values: [numberOf(name), numberOf(previous)] },
  },
};
