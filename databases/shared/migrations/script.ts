/** A migration's files: their text, their checksum, their statements. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sectionOf, type Sections } from "../../../config/migrations/sections.ts";
import type { Ledger } from "./ledger.ts";
import { MissingScriptError, NotTransactionalError, ToolOnlyError } from "./errors.ts";
import { splitStatements, wordsOf, type Statement } from "./statements.ts";

/** Text of one direction of a migration. */
export interface ScriptFile {
  /** Absolute. */
  path: string;
  /** Markers that tell the directions of one file apart. Absent: all of the file. */
  sections?: Sections;
}

export interface Migration {
  name: string;
  /** Absolute path of the folder with `migration.sql` and, where it can be rolled back, `down.sql`; of the file that the tool runs. */
  folder: string;
  /** Its scripts where they are not those of the folder. */
  scripts?: { up: ScriptFile; down?: ScriptFile };
  /** Only the system's own tool can run it. */
  byTool?: true;
  /** Ledger it is kept in. @default "prisma" */
  ledger?: Ledger;
  /** What the ledger calls it. Absent: it follows from the name. */
  version?: string;
  /** Names of the migrations it builds on. Absent: the one before it. */
  after?: readonly string[];
  /** Name of the one before it. Absent: it is the first, or the order is not known. */
  previous?: string;
}

/** @throws MissingScriptError @throws ToolOnlyError */
export function upScript(migration: Migration): string {
  if (migration.byTool === true) throw new ToolOnlyError([migration.name]);
  const file = migration.scripts?.up ?? { path: join(migration.folder, "migration.sql") };
  if (!existsSync(file.path)) throw new MissingScriptError(migration.name, file.path);
  return textOf(file, "up");
}

/** What a migration does, in SQL or in the program that its tool runs; empty where there is no file. To look for names in, not to run. */
export function textOfMigration(migration: Migration): string {
  if (migration.byTool !== true) return upScript(migration);
  return existsSync(migration.folder) ? readFileSync(migration.folder, "utf8") : "";
}

/** Null where there is none, or none with a statement in it: such a script would report success and do nothing. */
export function downScript(migration: Migration): string | null {
  const file = migration.scripts === undefined ? { path: join(migration.folder, "down.sql") } : migration.scripts.down;
  if (migration.byTool === true || file === undefined || !existsSync(file.path)) return null;
  const script = textOf(file, "down");
  return withoutWrapper(splitStatements(script)).length === 0 ? null : script;
}

function textOf({ path, sections }: ScriptFile, direction: "up" | "down"): string {
  const text = readFileSync(path, "utf8");
  return sections === undefined ? text : sectionOf(text, sections, direction);
}

export function checksum(script: string): string {
  return createHash("sha256").update(script).digest("hex");
}

/** Version control may have changed the line ends since the migration was applied; that is no change of the script. */
export function matchesChecksum(script: string, recorded: string): boolean {
  const unix = script.replaceAll("\r\n", "\n");
  return [script, unix, unix.replaceAll("\n", "\r\n")].some((text) => checksum(text) === recorded);
}

export interface ScriptPlan {
  statements: Statement[];
  /** False for the one statement that PostgreSQL refuses inside a transaction. */
  transactional: boolean;
}

/**
 * How a script is run. A BEGIN and COMMIT around the whole of it are left out, because the script and its record share a transaction.
 * @throws NotTransactionalError for transaction control in the middle, and for a statement that needs to be outside of a transaction and has company.
 */
export function planScript(migration: string, script: string): ScriptPlan {
  const statements = withoutWrapper(splitStatements(script));
  const state = statements.find((statement) => TRANSACTION_CONTROL.test(wordsOf(statement.text)));
  if (state !== undefined) {
    const why = "ends or splits the transaction. Remove it: the script runs in one transaction anyway";
    throw new NotTransactionalError(migration, shorten(state.text), state.line, why);
  }
  const outside = statements.find((statement) => OUTSIDE.test(wordsOf(statement.text)));
  if (outside === undefined) return { statements, transactional: true };
  if (statements.length === 1) return { statements, transactional: false };
  const why = "must run outside of a transaction, which the rest must not. Move it to a migration of its own";
  throw new NotTransactionalError(migration, shorten(outside.text), outside.line, why);
}

const BEGINS = /^(begin|start transaction)\b/;
const ENDS = /^(commit|end)\b(?! prepared)/;
const TRANSACTION_CONTROL = /^(begin|start transaction|commit|end|abort|prepare transaction|rollback(?! (work |transaction )?to\b))\b/;
const OUTSIDE = new RegExp(
  [
    "^(create (unique )?index concurrently|drop index concurrently|reindex\\b.*\\bconcurrently|reindex (\\([^)]*\\) ?)?(database|system|schema)|vacuum|cluster$",
    "alter table\\b.*\\bdetach partition\\b.*\\bconcurrently|(create|drop) (database|tablespace)|alter system|alter database\\b.*\\bset tablespace",
    "(create|drop) subscription)\\b",
  ].join("|"),
);

function withoutWrapper(statements: Statement[]): Statement[] {
  const [first, last] = [statements[0], statements.at(-1)];
  const wrapped = statements.length > 1 && BEGINS.test(wordsOf(first!.text)) && ENDS.test(wordsOf(last!.text));
  return wrapped ? statements.slice(1, -1) : statements;
}

function shorten(text: string): string {
  const line = wordsOf(text);
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}
