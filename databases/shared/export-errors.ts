/** Why an export is refused. */

type Counts = Record<string, number>;

function told(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

/** The files hold other counts than the comparison found. Nothing may be dropped on the strength of this export. */
export class ExportIncompleteError extends Error {
  readonly runId: string;
  readonly table: string;
  readonly expected: Counts;
  readonly found: Counts;
  constructor(
    runId: string,
    table: string,
    { inserted, updated, deleted }: { inserted: number; updated: number; deleted: number },
    found: Counts,
  ) {
    const expected = { inserted, updated, deleted };
    super(
      `export ${runId} of table ${table} is not complete: compared ${told(expected)}; the file holds ${told(found)}. Keep the database and export again`,
    );
    this.name = "ExportIncompleteError";
    this.runId = runId;
    this.table = table;
    this.expected = expected;
    this.found = found;
  }
}

/** A file of a finished export is missing or is not what was written. */
export class ExportDamagedError extends Error {
  readonly runId: string;
  readonly path: string;
  constructor(runId: string, path: string, reason: string) {
    super(`export ${runId} is damaged: ${path}: ${reason}. Export again under another run id while the database is still there`);
    this.name = "ExportDamagedError";
    this.runId = runId;
    this.path = path;
  }
}

/** The run id already names an export of something else. */
export class ExportTakenError extends Error {
  readonly runId: string;
  constructor(runId: string, why: string) {
    super(`run id ${runId} already names another export: ${why}. Use a new run id`);
    this.name = "ExportTakenError";
    this.runId = runId;
  }
}

/** The run id cannot begin a file name. */
export class ExportRunIdError extends Error {
  readonly runId: string;
  constructor(runId: string) {
    super(`run id ${JSON.stringify(runId)} cannot begin a file name: use letters, digits, ".", "_" and "-", a letter or digit first`);
    this.name = "ExportRunIdError";
    this.runId = runId;
  }
}
