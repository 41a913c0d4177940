/**
 * Brings constraints to their declared states: what is dropped first, one at a time and each by itself, then what is enforced again, lowest risk
 * first, stopping at the first one that the data violates. What the catalogue says counts, not what was planned.
 */
import type { Client } from "pg";
import { endpointOf, liveName } from "../../config/site.ts";
import type { Pins } from "../../config/pins.ts";
import { connect } from "../../databases/postgres/connection.ts";
import { qualified } from "../../databases/shared/identifiers.ts";
import {
  dropConstraint,
  enforceConstraint,
  unvalidateConstraint,
  type ResultRecorder as Recorder,
} from "../../databases/postgres/constraint-change.ts";
import { quarantineRows, type Quarantined } from "../../databases/postgres/constraint-quarantine.ts";
import { findConstraint, saveConstraint } from "../../databases/postgres/constraints.ts";
import { sessionInside } from "../../databases/postgres/fence.ts";
import type { ConstraintDefinition, ConstraintState } from "../../config/system/constraint.ts";
import { BEFORE_DROP, constraintOrder } from "../../config/constraint-plan.ts";
import { DefinitionUnknownError, keepDefinition, knownDefinition } from "../constraint-record.ts";
import { clientOf } from "../../databases/postgres/engine/session.ts";
import { failpoint } from "../../processes/failpoints.ts";
import type { ConstraintDone } from "../../config/journal.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";

/** A HIGH-risk constraint is not dropped without a checked way back. */
export class NoWayBackError extends Error {
  readonly constraint: string;
  constructor(name: string, reason: string) {
    super(
      `${name} is of HIGH risk and is not dropped: ${reason}. Pin it \`enforced\`, update the stack, and pin it \`dropped\` again: a snapshot is taken then`,
    );
    this.name = "NoWayBackError";
    this.constraint = name;
  }
}

/** A drop that the system's own record does not show would never be offered for recovery. */
export class NotRecordedError extends Error {
  readonly constraint: string;
  constructor(name: string, table: string) {
    super(`${name} of ${table} was dropped, but the system's record of results does not offer it for recovery`);
    this.name = "NotRecordedError";
    this.constraint = name;
  }
}

export async function setConstraints(run: Run, pins: Pins, violations: "reject" | "quarantine"): Promise<ConstraintDone[]> {
  const done: ConstraintDone[] = [];
  const constraints = run.definition.constraints ?? {};
  for (const database of new Set(Object.values(constraints).map((constraint) => constraint.database))) {
    const client = await sessionFor(run, database);
    try {
      await keepDefinitions(run, client, database);
      for (const name of constraintOrder(constraints, pins.constraints ?? {}))
        if (constraints[name]!.database === database) done.push(await bring({ run, client, name, violations }, pins));
      await allOffered(run, client, database, pins);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return done;
}

/** Inside the fence where there is one; a session of ours must not close what is open. */
async function sessionFor(run: Run, database: string): Promise<Client> {
  const live = liveName(run.site, database);
  const { rows } = await clientOf(run.state).query<{ open: boolean }>("SELECT datallowconn AS open FROM pg_database WHERE datname = $1", [
    live,
  ]);
  return rows[0]?.open === false ? sessionInside(endpointOf(run.site), clientOf(run.state), live) : connect(endpointOf(run.site), live);
}

/** Everything that is there is remembered, so that what somebody drops by hand can be brought back as well. */
async function keepDefinitions(run: Run, client: Client, database: string): Promise<void> {
  for (const [name, constraint] of Object.entries(run.definition.constraints ?? {})) {
    if (constraint.database !== database) continue;
    const found = await findConstraint(client, constraint.table, name);
    if (found !== null) await keepDefinition(run.state, name, constraint, await saveConstraint(client, found));
  }
}

interface Task {
  run: Run;
  client: Client;
  name: string;
  violations: "reject" | "quarantine";
}

const WORDS: Record<ConstraintState, string> = { dropped: "drop", enforced: "enforce", unvalidated: "enforce for new rows" };

async function bring(task: Task, pins: Pins): Promise<ConstraintDone> {
  const { run, client, name } = task;
  const constraint = run.definition.constraints![name]!;
  const state = pins.constraints?.[name] ?? "enforced";
  const found = await findConstraint(client, constraint.table, name);
  const asIs = found === null ? "dropped" : !found.enforced ? null : found.validated ? "enforced" : "unvalidated";
  if (asIs === state || (constraint.kind === "trigger" && asIs === "enforced" && state === "unvalidated"))
    return { name, table: constraint.table, state, how: "already", quarantined: [] };
  return step(
    run,
    { phase: "data", kind: "constraint", name: `${WORDS[state]} ${name} of ${constraint.table}` },
    async () => {
      const done =
        state === "dropped"
          ? await drop(task, constraint)
          : await enforce(task, constraint, state, { enforced: found?.validated === true, definition: pins.definitions?.[name] });
      await failpoint(`constraint.${name}`);
      return { name, table: constraint.table, state, ...done };
    },
    (result) => result,
  );
}

async function drop({ run, client, name }: Task, constraint: ConstraintDefinition): Promise<Pick<ConstraintDone, "how" | "quarantined">> {
  if (constraint.risk === "HIGH") await checkWayBack(run, client, name, constraint);
  return {
    how: await dropConstraint(client, { table: constraint.table, name }, recorder(run, client, name, constraint, "drop")),
    quarantined: [],
  };
}

async function enforce(
  { run, client, name, violations }: Task,
  constraint: ConstraintDefinition,
  state: ConstraintState,
  { enforced, definition }: { enforced: boolean; definition: string | undefined },
): Promise<Pick<ConstraintDone, "how" | "quarantined">> {
  const { table } = constraint;
  const saved = await knownDefinition(run.state, name, constraint, definition);
  if (saved === null) throw new DefinitionUnknownError(name, table);
  // What the definition says of violations is said of the text that was there before.
  const violates = definition === undefined || constraint.kind === "trigger" ? constraint.violates : undefined;
  const subject = { table, name, ...(violates === undefined ? {} : { violates }) };
  if (state === "unvalidated" && enforced) return { how: await unvalidateConstraint(client, subject, saved), quarantined: [] };
  const quarantined: Quarantined[] = [];
  const moveAway = async (condition: string): Promise<void> => {
    const moved = await quarantineRows(client, table, condition, run.epoch, `violates ${name}`);
    for (const { table: from, into, rows } of moved) run.log("warning", `${rows} rows of ${from} were moved to ${into}`);
    quarantined.push(...moved);
  };
  const enforcement = { saved, validate: state === "enforced", ...(violations === "quarantine" ? { moveAway } : {}) };
  const how = await enforceConstraint(client, subject, enforcement, recorder(run, client, name, constraint, "recover"));
  return { how, quarantined };
}

/** Where the system keeps its own record, each result goes there. */
function recorder(run: Run, client: Client, name: string, constraint: ConstraintDefinition, what: "drop" | "recover"): Recorder {
  const records = run.definition.constraintRecords;
  if (records === undefined || records.database !== constraint.database) return async () => Promise.resolve();
  return async (result, notes, durationMs) => {
    if (!(await exists(client, records.requiresTable))) return;
    const rollout = await run.state.rollout(run.epoch);
    const why = [notes, `rollout ${run.epoch}`, run.runId, ...(rollout?.reason == null ? [] : [rollout.reason])].join("; ");
    await client.query(records.writeSql, [rollout?.plan.scope ?? null, what, name, constraint.table, result, why, Math.round(durationMs)]);
  };
}

async function exists(client: Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [qualified(table)]);
  return rows[0]?.there === true;
}

/** What this rollout dropped must be offered for recovery by the system's own record. */
async function allOffered(run: Run, client: Client, database: string, pins: Pins): Promise<void> {
  const records = run.definition.constraintRecords;
  if (records === undefined || records.database !== database || !(await exists(client, records.requiresTable))) return;
  const rollout = await run.state.rollout(run.epoch);
  const { rows } = await client.query<{ name: string; table: string }>(records.offeredSql);
  for (const { name, table } of rollout?.plan.constraints ?? [])
    if (pins.constraints?.[name] === "dropped" && !rows.some((row) => row.name === name && row.table === table))
      throw new NotRecordedError(name, table);
}

/**
 * The snapshot of this rollout is looked into: it has the constraint, and as many rows of its table. Where the data itself was brought back,
 * what was live is in quarantine.
 */
async function checkWayBack(run: Run, client: Client, name: string, { database, table }: ConstraintDefinition): Promise<void> {
  const rollout = await run.state.rollout(run.epoch);
  const action = rollout?.plan.databases[database]?.action.kind;
  if (action !== undefined && action !== "none") return;
  const snapshot = await run.state.snapshotOfEpoch(database, BEFORE_DROP, run.epoch);
  if (snapshot?.state !== "ready") throw new NoWayBackError(name, `rollout ${run.epoch} has no snapshot ${BEFORE_DROP} of ${database}`);
  if (snapshot.driver !== "template") return;
  // It accepts connections, and goes on to: everything that compares with it needs one.
  const copy = await connect(endpointOf(run.site), snapshot.location, { readOnly: true }).catch((error: Error) => {
    throw new NoWayBackError(name, `the snapshot cannot be looked into: ${error.message}`);
  });
  try {
    if ((await findConstraint(copy, table, name)) === null) throw new NoWayBackError(name, `the snapshot does not have it either`);
    const [there, here] = [await rowsOf(copy, table), await rowsOf(client, table)];
    if (there !== here) throw new NoWayBackError(name, `the snapshot has ${there} rows of ${table}, the live data ${here}`);
  } finally {
    await copy.end().catch(() => undefined);
  }
}

async function rowsOf(client: Client, table: string): Promise<string> {
  const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${qualified(table)}`);
  return rows[0]!.rows;
}
