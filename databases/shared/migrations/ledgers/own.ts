/** Ledgers in which backout keeps the start and the end of every attempt: they have readers and writers of their own in each engine. */
import type { LedgerDescriptor } from "./descriptor.ts";
import { text } from "./numbers.ts";

type Kept = Pick<LedgerDescriptor, "name" | "tool" | "table">;

function attempts(about: Kept): LedgerDescriptor {
  return {
    ...about,
    columns: ["migration_name"],
    read: (table) => `SELECT migration_name, checksum, finished_at, rolled_back_at FROM ${table} ORDER BY started_at, id`,
    entry: (row) => {
      const name = text(row["migration_name"]);
      const state = row["rolled_back_at"] !== null ? "undone" : row["finished_at"] === null ? "unfinished" : "applied";
      return { version: name, label: name, checksum: text(row["checksum"]), state };
    },
    versionOf: (name) => name,
  };
}

export const prisma = attempts({ name: "prisma", tool: "Prisma", table: "_prisma_migrations" });
export const backout = attempts({ name: "backout", tool: "backout", table: "_backout_migrations" });

/** An older release does not run its command line: that `supabase db push` refuses unknown versions stops nothing. */
export const supabase: LedgerDescriptor = {
  name: "supabase",
  tool: "Supabase",
  table: "schema_migrations",
  schema: "supabase_migrations",
  columns: ["version"],
  read: (table) => `SELECT version FROM ${table} ORDER BY version`,
  entry: (row) => ({ version: text(row["version"]), label: text(row["version"]), checksum: "", state: "applied" }),
  versionOf: (name) => /^(\d+)_/.exec(name)?.[1] ?? name,
};
