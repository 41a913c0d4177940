/** Why a database cannot be closed, dumped or restored where it is. */
import { describeSession, type Session } from "../sessions.ts";

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

/** Objects in a schema that would be restored belong to somebody else: they could not be made again. */
export class ForeignObjectsError extends Error {
  readonly objects: string[];
  constructor(objects: string[]) {
    super(
      `${objects.length} object(s) in the schemas to restore belong to roles this one is no member of: ${objects.slice(0, 5).join(", ")}. ` +
        "Nothing was changed; give them to the owner of the rest, or move them to a schema of their own",
    );
    this.name = "ForeignObjectsError";
    this.objects = objects;
  }
}

/** The restore failed, and the database is as it was: all of it was one transaction. */
export class InPlaceRestoreError extends Error {
  readonly database: string;
  readonly output: string;
  constructor(database: string, output: string) {
    super(`restoring into "${database}" failed and was taken back as a whole: ${output}`);
    this.name = "InPlaceRestoreError";
    this.database = database;
    this.output = output;
  }
}
