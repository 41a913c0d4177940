/**
 * The ledgers of migrations that backout reads, by the name a definition gives them, with the engines that have each. How each is recognised and
 * read: `databases/shared/migrations/ledgers/`.
 */
export const LEDGER_ENGINES = {
  prisma: ["postgres", "sqlite"],
  supabase: ["postgres"],
  flyway: ["postgres", "sqlite"],
  alembic: ["postgres", "sqlite"],
  django: ["postgres", "sqlite"],
  rails: ["postgres", "sqlite"],
  "golang-migrate": ["postgres", "sqlite"],
  dbmate: ["postgres", "sqlite"],
  goose: ["postgres", "sqlite"],
  knex: ["postgres", "sqlite"],
  drizzle: ["postgres", "sqlite"],
  typeorm: ["postgres", "sqlite"],
  sequelize: ["postgres", "sqlite"],
  "node-pg-migrate": ["postgres"],
  liquibase: ["postgres", "sqlite"],
  sqlx: ["postgres", "sqlite"],
  /** `_backout_migrations`, for SQL files that no tool applies. */
  backout: ["postgres", "sqlite"],
} as const satisfies Record<string, readonly ("postgres" | "sqlite")[]>;

export type LedgerName = keyof typeof LEDGER_ENGINES;

export const LEDGER_NAMES = Object.keys(LEDGER_ENGINES) as LedgerName[];

/** Ledgers of an engine, and `auto`: the one that is found in the database. */
export function ledgersOf(engine: "postgres" | "sqlite"): (LedgerName | "auto")[] {
  return ["auto", ...LEDGER_NAMES.filter((name) => (LEDGER_ENGINES[name] as readonly string[]).includes(engine))];
}

/**
 * What the tool of an older release says of a revision that it does not know, by ledger. A release that starts such a tool itself does not run on a
 * newer schema. Tools that are not here go on.
 */
export const REFUSES_UNKNOWN: Readonly<Partial<Record<LedgerName, string>>> = {
  flyway: "Detected applied migration not resolved locally",
  alembic: "Can't locate revision identified by",
  "golang-migrate": "no migration found for version",
  knex: "The migration directory is corrupt, the following files are missing",
  sqlx: "was previously applied but is missing in the resolved migrations",
};
