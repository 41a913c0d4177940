/** Why a database cannot be closed, dumped or restored where it is. */
import { describeSession, type Session } from "../postgres/sessions.ts";

/** Somebody is in the database whom this role may not end. Nothing was changed, or it was put back. */
export class ForeignSessionError extends Error {
  readonly database: string;
  readonly sessions: Session[];
  constructor(database: string, sessions: Session[]) {
    super(
      `${sessions.length} session(s) in database "${database}" cannot be ended by this role: ${sessions.map(describeSession).join("; ")}. ` +
        "Connections are allowed as before; end them, or grant pg_signal_backend to backout's role, then run again",
    );
    this.name = "ForeignSessionError";
    this.database = database;
    this.sessions = sessions;
  }
}

/** The database holds, or lacks, something for which a restore could not bring it back exactly. Nothing was changed. */
export class DriverRefusedError extends Error {
  readonly database: string;
  readonly reasons: string[];
  constructor(database: string, reasons: string[]) {
    const shown = reasons.slice(0, 10);
    const more = reasons.length > shown.length ? `; and ${reasons.length - shown.length} more` : "";
    super(`"${database}" could not be restored in place: ${shown.join("; ")}${more}. Nothing was changed`);
    this.name = "DriverRefusedError";
    this.database = database;
    this.reasons = reasons;
  }
}

/** The restore failed, and the database is as it was: all of it was one transaction. */
export class InPlaceRestoreError extends Error {
  readonly database: string;
  readonly output: string;
  constructor(database: string, output: string) {
    super(`restoring into "${database}" failed and was rolled back as a whole: ${output}`);
    this.name = "InPlaceRestoreError";
    this.database = database;
    this.output = output;
  }
}

/** The restore was kept, and what stands there now is not what was dumped. */
export class InPlaceDiffersError extends Error {
  readonly database: string;
  readonly safety: string;
  readonly differences: string[];
  constructor(database: string, safety: string, differences: string[]) {
    super(
      `what stands in "${database}" now differs from its snapshot: ${differences.slice(0, 5).join("; ")}. Users stay out; what was there is in ${safety}: pin backout:data to quarantine:${safety} to bring it back`,
    );
    this.name = "InPlaceDiffersError";
    this.database = database;
    this.safety = safety;
    this.differences = differences;
  }
}
