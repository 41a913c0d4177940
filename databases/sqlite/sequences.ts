/** The last number that each table with AUTOINCREMENT gave: it never gives one again, also where the row is gone. */
import type { DatabaseSync } from "node:sqlite";
import type { SequenceMoves, SequenceState } from "../shared/sequences.ts";
import { all, first, run } from "./database.ts";

export function readSequences(db: DatabaseSync): Map<string, SequenceState> {
  // Made with the first such table.
  if (first(db, "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'") === null) return new Map();
  const rows = all<{ name: string; value: string }>(
    db,
    "SELECT name, CAST(max(seq) AS TEXT) AS value FROM main.sqlite_sequence GROUP BY name",
  );
  return new Map(rows.map(({ name, value }) => [name, { value, feeds: true }]));
}

/** Never back. A table that is not there, or gives any number, has none to go on with. */
export function resumeSequences(db: DatabaseSync, moves: SequenceMoves): void {
  const tables = new Set(
    all<{ name: string }>(db, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE '%autoincrement%'").map(
      ({ name }) => name,
    ),
  );
  for (const [name, { current }] of Object.entries(moves)) {
    if (current === null || !tables.has(name)) continue;
    run(
      db,
      "INSERT INTO main.sqlite_sequence (name, seq) SELECT $1, 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = $1)",
      [name],
    );
    run(db, "UPDATE main.sqlite_sequence SET seq = max(seq, CAST($2 AS INTEGER)) WHERE name = $1", [name, current]);
  }
}
