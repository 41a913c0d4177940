/** Why a fence cannot be closed, or is not closed. */
import { describeSession, type Session } from "./sessions.ts";

export interface PreparedTransaction {
  gid: string;
  owner: string;
  database: string;
  preparedAt: Date;
  ageSeconds: number;
}

/** Transactions prepared for two-phase commit keep a database from being renamed or copied. Only a person, or their transaction manager, knows which way each must go. */
export class PreparedTransactionError extends Error {
  readonly database: string;
  readonly transactions: PreparedTransaction[];
  constructor(database: string, transactions: PreparedTransaction[]) {
    const list = transactions.map(({ gid, owner, ageSeconds }) => {
      const name = `'${gid.replaceAll("'", "''")}'`;
      return `${name} of ${owner}, ${Math.round(ageSeconds)} s old: COMMIT PREPARED ${name}; or ROLLBACK PREPARED ${name};`;
    });
    super(
      `database "${database}" has ${transactions.length} prepared transaction(s). End each, connected to "${database}", then run again:\n  ${list.join("\n  ")}`,
    );
    this.name = "PreparedTransactionError";
    this.database = database;
    this.transactions = transactions;
  }
}

/** Replication in use keeps a database from being renamed. */
export class ReplicationInUseError extends Error {
  readonly database: string;
  readonly slots: string[];
  readonly subscriptions: string[];
  constructor(database: string, slots: string[], subscriptions: string[]) {
    const parts = [
      ...slots.map((slot) => `replication slot "${slot}" is active: stop its consumer`),
      ...subscriptions.map((name) => `subscription "${name}" is enabled: ALTER SUBSCRIPTION "${name}" DISABLE`),
    ];
    super(`database "${database}" takes part in replication; ${parts.join("; ")}; then run again`);
    this.name = "ReplicationInUseError";
    this.database = database;
    this.slots = slots;
    this.subscriptions = subscriptions;
  }
}

/** Sessions are still there after the time allowed. Connections stay refused. */
export class FenceTimeoutError extends Error {
  readonly database: string;
  readonly sessions: Session[];
  constructor(database: string, sessions: Session[], waitedMs: number) {
    super(
      `${sessions.length} session(s) in database "${database}" did not end within ${waitedMs} ms: ${sessions.map(describeSession).join("; ")}. ` +
        "Connections stay refused. A session of a superuser can only be ended by a superuser; stop what holds it, then run again",
    );
    this.name = "FenceTimeoutError";
    this.database = database;
    this.sessions = sessions;
  }
}

/** Somebody can reach a database that nobody should reach. */
export class NotFencedError extends Error {
  readonly database: string;
  constructor(database: string, reason: string) {
    super(`database "${database}" is not fenced: ${reason}. Fence it first`);
    this.name = "NotFencedError";
    this.database = database;
  }
}
