/** Every way a migration is refused or fails. */

/** A script failed at one of its statements; the database rolled back everything the script did. */
export class MigrationFailedError extends Error {
  readonly migration: string;
  readonly direction: "up" | "down";
  /** First statement is 1; null where the script failed as a whole, at its commit or with its connection. */
  readonly statement: number | null;
  readonly statements: number;
  /** Line of the script the statement starts at. */
  readonly line: number | null;
  /** SQLSTATE; empty where the connection was lost. */
  readonly code: string;
  constructor(
    place: {
      migration: string;
      direction: "up" | "down";
      statement: number | null;
      statements: number;
      line: number | null;
      kept?: string;
    },
    cause: unknown,
  ) {
    const error = cause as { message?: string; code?: string; detail?: string; hint?: string };
    const where = place.statement === null ? "at its end" : `at statement ${place.statement} of ${place.statements}, line ${place.line}`;
    const said = [error.message ?? String(cause), error.detail, error.hint].filter(Boolean).join("; ");
    super(
      `${place.direction === "up" ? "migration" : "down script of migration"} ${place.migration} failed ${where}: ${said}${error.code ? ` (${error.code})` : ""}. ` +
        `${place.kept ?? "Nothing of it was kept"}; correct the script or the data and run the same command again`,
      { cause },
    );
    this.name = "MigrationFailedError";
    this.migration = place.migration;
    this.direction = place.direction;
    this.statement = place.statement;
    this.statements = place.statements;
    this.line = place.line;
    this.code = error.code ?? "";
  }
}

/** Migrations that should go back have no down script, or one without a statement. */
export class MissingDownScriptError extends Error {
  readonly migrations: string[];
  constructor(migrations: string[]) {
    super(
      `no down script for ${migrations.join(", ")}: nothing was touched. Add a down.sql with at least one statement beside migration.sql, ` +
        `or go back with the schema policy "keep" or "mark"`,
    );
    this.name = "MissingDownScriptError";
    this.migrations = migrations;
  }
}

/** A migration is a program, or has a record that only its own tool can write. */
export class ToolOnlyError extends Error {
  readonly migrations: string[];
  constructor(migrations: string[]) {
    super(
      `${migrations.join(", ")} can only be applied by the system's own migration tool: give the database's definition a command, ` +
        'e.g. migrate: "alembic upgrade $BACKOUT_SCHEMA"',
    );
    this.name = "ToolOnlyError";
    this.migrations = migrations;
  }
}

/** A script file is not there. */
export class MissingScriptError extends Error {
  readonly migration: string;
  readonly path: string;
  constructor(migration: string, path: string) {
    super(`migration ${migration} has no script: ${path} does not exist. Restore the file from the release it belongs to`);
    this.name = "MissingScriptError";
    this.migration = migration;
    this.path = path;
  }
}

/** A script that cannot be run as one transaction, so that a failure in the middle would leave half of it behind. */
export class NotTransactionalError extends Error {
  readonly migration: string;
  readonly statement: string;
  constructor(migration: string, statement: string, line: number, why: string) {
    super(`migration ${migration} cannot run as one transaction: line ${line}, "${statement}", ${why}`);
    this.name = "NotTransactionalError";
    this.migration = migration;
    this.statement = statement;
  }
}

/** The ledger holds a migration that started and did not finish, and not through backout: how much of it was done is unknown. */
export class MigrationUnfinishedError extends Error {
  readonly migrations: string[];
  constructor(migrations: string[]) {
    super(
      `${migrations.join(", ")}: started and never finished, so some statements may have been applied. Look at the schema and the ledger's ` +
        `logs column, then mark it rolled back (nothing of it is there) or applied (all of it is)`,
    );
    this.name = "MigrationUnfinishedError";
    this.migrations = migrations;
  }
}

/** A name that neither the system's definition nor, where that is what counts, the ledger knows. */
export class UnknownMigrationError extends Error {
  readonly migration: string;
  constructor(migration: string, where: "definition" | "ledger" | "ledger only") {
    const why = {
      definition: "is not in the system's definition; correct the name in the ledger of releases",
      ledger: "was never applied to this database, so its record cannot be changed; look at the status for the exact name",
      "ledger only":
        "is applied to this database but not in the system's definition, so its down script is unknown; add it to the definition",
    }[where];
    super(`migration "${migration}" ${why}`);
    this.name = "UnknownMigrationError";
    this.migration = migration;
  }
}

/** Another session migrates this database right now. */
export class MigrationLockedError extends Error {
  readonly pid: number | null;
  constructor(pid: number | null, waitedMs: number) {
    super(
      `another session${pid === null ? "" : ` (server process ${pid})`} is migrating this database; waited ${waitedMs / 1000} s. ` +
        `Wait for it to end and run the same command again`,
    );
    this.name = "MigrationLockedError";
    this.pid = pid;
  }
}

/** A ledger that is to get its first record has some already. Nothing was changed. */
export class LedgerKeptError extends Error {
  readonly recorded: readonly string[];
  constructor(recorded: readonly string[]) {
    super(
      `the ledger records ${recorded.length} migration(s) already, the newest is ${recorded.at(-1)}: it is left as it is; leave out --baseline`,
    );
    this.name = "LedgerKeptError";
    this.recorded = recorded;
  }
}
