/** The migrations of a database, as a definition lists them or a folder holds them. */
import type { LedgerName } from "./ledgers.ts";

/** A direction of a migration, as text in a file. */
export interface ScriptPlace {
  /** Relative to the system's folder. */
  file: string;
  /** The file holds both directions, told apart by the markers of this tool. Absent: all of the file. */
  sections?: "dbmate" | "goose";
}

export interface MigrationDefinition {
  /** Name that releases, previews and records use, e.g. `20251128000003_phase4_…`. */
  name: string;
  /** Folder with `migration.sql` and, if it can be reverted, `down.sql`; or the file that the tool runs. Relative to the system's folder. */
  path: string;
  /** What the ledger calls it. Absent: it follows from the name. */
  version?: string;
  /** Names of the migrations it builds on, where that is not the one before it. */
  after?: string[];
  /** Its scripts where they are not `migration.sql` and `down.sql` of the folder; `tool`: only the system's own tool can run it. */
  scripts?: { up: ScriptPlace; down?: ScriptPlace } | "tool";
}

/** How a folder of migrations is laid out. */
export type MigrationLayout =
  /** Folders with `migration.sql` and `down.sql`, and Prisma's `migration_lock.toml`. */
  | "prisma"
  /** Folders with `migration.sql` and `down.sql`. */
  | "folders"
  /** Folders with `up.sql` and `down.sql`. */
  | "up-down"
  /** `V1__name.sql`, `U1__name.sql`. */
  | "flyway"
  /** `-- migrate:up` and `-- migrate:down` in each file. */
  | "dbmate"
  /** `-- +goose Up` and `-- +goose Down` in each file. */
  | "goose"
  /** `1_name.up.sql`, `1_name.down.sql`. */
  | "golang-migrate"
  /** Supabase's `supabase/migrations`: `20240101000000_name.sql`. */
  | "supabase"
  /** `1_name.sql`, and `1_name.down.sql` where it can be reverted. */
  | "plain"
  | "drizzle"
  | "alembic"
  | "django"
  | "rails"
  | "knex"
  | "typeorm"
  | "sequelize"
  | "node-pg-migrate";

/** The ledger of a database that has none yet, by the layout of its migrations. */
export const LEDGER_OF_LAYOUT: Record<MigrationLayout, LedgerName> = {
  prisma: "prisma",
  folders: "backout",
  "up-down": "backout",
  flyway: "flyway",
  dbmate: "dbmate",
  goose: "goose",
  "golang-migrate": "golang-migrate",
  supabase: "supabase",
  plain: "backout",
  drizzle: "drizzle",
  alembic: "alembic",
  django: "django",
  rails: "rails",
  knex: "knex",
  typeorm: "typeorm",
  sequelize: "sequelize",
  "node-pg-migrate": "node-pg-migrate",
};
