/** Ledgers of tools whose migrations are programs, or whose rows only the tool can write. backout reads them; the system's command applies. */
import type { LedgerDescriptor } from "./descriptor.ts";
import type { Migration } from "../script.ts";
import { digitsOf, isTrue, numberOf, text } from "./numbers.ts";

/** A ledger with one row for each applied migration, under its name. */
function named(
  about: Pick<LedgerDescriptor, "name" | "tool" | "table" | "columns"> & Partial<LedgerDescriptor>,
  column: string,
  order: string,
): LedgerDescriptor {
  return {
    read: (table) => `SELECT ${column} AS version FROM ${table} ORDER BY ${order}`,
    entry: (row) => ({ version: text(row["version"]), label: text(row["version"]), checksum: "", state: "applied" }),
    versionOf: (name) => name,
    ...about,
  };
}

/** The revision, and every one that it builds on. Without `after`, a migration builds on the one before it. */
function ancestors(version: string, known: readonly Migration[]): string[] {
  const below = new Set([version]);
  const newestFirst = known.map((migration, index) => ({ ...migration, before: known[index - 1]?.name })).reverse();
  for (const { name, after, before } of newestFirst)
    if (below.has(name)) for (const parent of after ?? (before === undefined ? [] : [before])) below.add(parent);
  return known.filter(({ name }) => name !== version && below.has(name)).map(({ name }) => name);
}

/** One row for each head; each stands for the revisions below it. */
export const alembic: LedgerDescriptor = {
  ...named(
    {
      name: "alembic",
      tool: "Alembic",
      table: "alembic_version",
      columns: ["version_num"],
    },
    "version_num",
    "version_num",
  ),
  entry: (row, known) => {
    const version = text(row["version"]);
    return { version, label: version, checksum: "", state: "applied", covers: ancestors(version, known) };
  },
};

export const django: LedgerDescriptor = {
  ...named({ name: "django", tool: "Django", table: "django_migrations", columns: ["app", "name", "applied"] }, "app || '.' || name", "id"),
  // The rows of Django's own applications and of libraries are no revisions of the system.
  concerns: (label, known) => known.some(({ name }) => name.split(".")[0] === label.split(".")[0]),
};

export const rails: LedgerDescriptor = {
  ...named({ name: "rails", tool: "Rails", table: "schema_migrations", columns: ["version"] }, "version", "version"),
  isOwn: ({ columns, schema }) =>
    Object.keys(columns).length === 1 &&
    /^(character varying|varchar|text)$/i.test(columns["version"] ?? "") &&
    schema !== "supabase_migrations",
  versionOf: digitsOf,
};

export const knex: LedgerDescriptor = named(
  {
    name: "knex",
    tool: "Knex",
    table: "knex_migrations",
    columns: ["id", "name", "batch", "migration_time"],
  },
  "name",
  "id",
);

/** Known by the time in `meta/_journal.json`. */
export const drizzle: LedgerDescriptor = {
  ...named({ name: "drizzle", tool: "Drizzle", table: "__drizzle_migrations", columns: ["id", "hash", "created_at"] }, "created_at", "id"),
};

export const typeorm: LedgerDescriptor = named(
  { name: "typeorm", tool: "TypeORM", table: "migrations", columns: ["id", "timestamp", "name"] },
  "name",
  "id",
);

export const sequelize: LedgerDescriptor = {
  ...named({ name: "sequelize", tool: "Sequelize", table: "SequelizeMeta", columns: ["name"] }, "name", "name"),
  isOwn: ({ columns }) => Object.keys(columns).length === 1,
};

export const nodePgMigrate: LedgerDescriptor = named(
  { name: "node-pg-migrate", tool: "node-pg-migrate", table: "pgmigrations", columns: ["id", "name", "run_on"] },
  "name",
  "run_on, id",
);

export const liquibase: LedgerDescriptor = named(
  {
    name: "liquibase",
    tool: "Liquibase",
    table: "databasechangelog",
    columns: ["id", "author", "filename", "orderexecuted", "md5sum"],
  },
  "id",
  "orderexecuted",
);

export const sqlx: LedgerDescriptor = {
  ...named(
    {
      name: "sqlx",
      tool: "sqlx",
      table: "_sqlx_migrations",
      columns: ["version", "description", "success", "checksum"],
    },
    "version",
    "version",
  ),
  read: (table) => `SELECT version, description, success FROM ${table} ORDER BY version`,
  entry: (row) => ({
    version: text(row["version"]),
    label: `${text(row["version"])}_${text(row["description"]).replaceAll(" ", "_")}`,
    checksum: "",
    state: isTrue(row["success"]) ? "applied" : "unfinished",
  }),
  versionOf: numberOf,
};
