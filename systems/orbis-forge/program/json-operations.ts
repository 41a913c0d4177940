/** All projects as one JSON document with its own hash: read from the data, and put back in its place. */
import { createHash } from "node:crypto";
import type { RowsChanged } from "../../../config/system/repair.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import type { Row } from "./history.ts";

/** Parents before children. */
const EXPORTED = ["projects", "phases", "step_progress"] as const;

export interface ExportDocument {
  format: "orbis-forge-export";
  exportedAt: string;
  /** sha256 over the tables, as JSON without spaces. */
  sha256: string;
  tables: Record<string, Row[]>;
}

/** A document that is not what it says it is: nothing of it is taken. */
export class ImportRefusedError extends Error {
  constructor(reason: string) {
    super(`the import was refused and nothing was changed: ${reason}`);
    this.name = "ImportRefusedError";
  }
}

function hashOfTables(tables: ExportDocument["tables"]): string {
  return createHash("sha256").update(JSON.stringify(tables)).digest("hex");
}

export async function exportDocument(session: SqlSession): Promise<ExportDocument> {
  const tables: ExportDocument["tables"] = {};
  for (const table of EXPORTED) tables[table] = await session.all<Row>(`SELECT * FROM ${table} ORDER BY id`);
  return { format: "orbis-forge-export", exportedAt: new Date().toISOString(), sha256: hashOfTables(tables), tables };
}

/** @param checkHash false only where the caller imports the document as it is. @throws ImportRefusedError */
export function parseDocument(text: string, checkHash: boolean): ExportDocument {
  let document: Partial<ExportDocument>;
  try {
    document = JSON.parse(text) as Partial<ExportDocument>;
  } catch {
    throw new ImportRefusedError("it is not JSON");
  }
  const { format, tables, sha256 } = document;
  if (format !== "orbis-forge-export" || typeof tables !== "object" || tables === null)
    throw new ImportRefusedError("it is no export of this system");
  for (const table of EXPORTED) if (!Array.isArray(tables[table])) throw new ImportRefusedError(`it lacks ${table}`);
  if (checkHash && hashOfTables(tables) !== sha256)
    throw new ImportRefusedError(`its content does not have the sha256 it states (${sha256 ?? "none"}): it was changed or cut off`);
  return document as ExportDocument;
}

/** Puts the document's rows in the place of those that are there. Inside a transaction of the caller's. */
export async function importDocument(session: SqlSession, { tables }: ExportDocument): Promise<Record<string, RowsChanged>> {
  const changed: Record<string, RowsChanged> = {};
  const wantedIn = (table: string): Map<number, Row> => new Map((tables[table] ?? []).map((row) => [Number(row["id"]), row]));
  // Children first: a parent that goes would take them along uncounted.
  for (const table of [...EXPORTED].reverse()) {
    const wanted = wantedIn(table);
    const gone = (await session.all<{ id: number }>(`SELECT id FROM ${table}`)).filter(({ id }) => !wanted.has(id));
    for (const { id } of gone) await session.run(`DELETE FROM ${table} WHERE id = $1`, [id]);
    changed[table] = { inserted: 0, updated: 0, deleted: gone.length };
  }
  for (const table of EXPORTED) {
    const columns = (await session.all<{ name: string }>("SELECT name FROM pragma_table_info($1)", [table])).map(({ name }) => name);
    const there = new Map((await session.all<Row>(`SELECT * FROM ${table}`)).map((row) => [Number(row["id"]), row]));
    for (const [id, row] of wantedIn(table)) {
      const current = there.get(id);
      // A document of a newer release may have columns that this schema lacks.
      const known = Object.keys(row).filter((column) => columns.includes(column));
      if (current === undefined) await insert(session, table, known, row);
      else if (known.every((column) => current[column] === row[column])) continue;
      else await update(session, table, known, row);
      changed[table]![current === undefined ? "inserted" : "updated"] += 1;
    }
  }
  return changed;
}

async function insert(session: SqlSession, table: string, columns: string[], row: Row): Promise<void> {
  await session.run(
    `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(", ")})`,
    columns.map((column) => row[column] ?? null),
  );
}

async function update(session: SqlSession, table: string, columns: string[], row: Row): Promise<void> {
  await session.run(
    `UPDATE ${table} SET ${columns.map((column, index) => `${column} = $${index + 1}`).join(", ")} WHERE id = $${columns.length + 1}`,
    [...columns.map((column) => row[column] ?? null), row["id"] ?? null],
  );
}
