/**
 * SQLite has no switch for triggers: they are dropped inside the transaction and recreated from their own text, and the schema is compared afterwards.
 * What they did is in the export already, but for indexes of full texts, which are built anew from the tables they belong to.
 */
import type { DatabaseSync } from "node:sqlite";
import { all } from "./database.ts";
import { quote } from "../shared/identifiers.ts";

/** A trigger could not be recreated as it was: nothing is put back. */
export class TriggersLostError extends Error {
  constructor(what: string) {
    super(`nothing was put back: ${what}. Set backout:newWrites to "export", which keeps the rows as files`);
    this.name = "TriggersLostError";
  }
}

interface Trigger {
  name: string;
  sql: string;
}

const SCHEMA = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY type, name";

/** Runs `work` with no trigger on these tables. Inside the caller's transaction. @throws TriggersLostError */
export async function withoutTriggers<T>(db: DatabaseSync, tables: readonly string[], work: () => Promise<T>): Promise<T> {
  const before = JSON.stringify(all(db, SCHEMA));
  const names = new Set(tables.map((table) => table.toLowerCase()));
  const triggers = all<Trigger & { table: string }>(
    db,
    `SELECT name, sql, tbl_name AS "table" FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY rowid`,
  ).filter(({ table }) => names.has(table.toLowerCase()));
  for (const { name } of triggers) db.exec(`DROP TRIGGER main.${quote(name)}`);
  const result = await work();
  for (const { name, sql } of triggers) {
    try {
      db.exec(sql);
    } catch (error) {
      throw new TriggersLostError(`trigger ${name} cannot be recreated (${(error as Error).message})`);
    }
  }
  if (JSON.stringify(all(db, SCHEMA)) !== before) throw new TriggersLostError("the schema would not be as it was before");
  rebuildIndexes(db, names, triggers);
  return result;
}

/** Indexes of full texts that triggers keep in step with one of the tables, or with a view of them. @param silenced triggers that did not run */
function rebuildIndexes(db: DatabaseSync, tables: ReadonlySet<string>, silenced: readonly Trigger[]): void {
  const indexes = all<Trigger>(db, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'");
  for (const { name, sql } of indexes) {
    const of = /\bUSING\s+fts[45]\b[\s\S]*?\bcontent\s*=\s*(?:"((?:[^"]|"")+)"|'((?:[^']|'')+)'|([\w]+))/i.exec(sql);
    const content = of?.[1]?.replaceAll('""', '"') ?? of?.[2]?.replaceAll("''", "'") ?? of?.[3];
    const fed = (): boolean => silenced.some((trigger) => trigger.sql.toLowerCase().includes(name.toLowerCase()));
    if (content !== undefined && (tables.has(content.toLowerCase()) || (isView(db, content) && fed())))
      db.exec(`INSERT INTO main.${quote(name)} (${quote(name)}) VALUES ('rebuild')`);
  }
}

function isView(db: DatabaseSync, name: string): boolean {
  return all(db, "SELECT 1 FROM main.sqlite_schema WHERE type = 'view' AND name = $1 COLLATE NOCASE", [name]).length > 0;
}
