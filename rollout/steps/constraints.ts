/**
 * Brings constraints to their declared states: what is dropped first, one at a time and each by itself, then what is enforced again, lowest risk
 * first, stopping at the first one that the data violates. What the catalogue says counts, not what was planned.
 */
import type { Pins } from "../../config/pins.ts";
import { constraintsOf } from "../../databases/registry.ts";
import type { ConstraintSession, Quarantined, ResultRecorder as Recorder } from "../../databases/shared/constraints.ts";
import { countTables, hasTable } from "../../databases/tables.ts";
import type { ConstraintDefinition, ConstraintState } from "../../config/system/constraint.ts";
import { BEFORE_DROP, constraintOrder } from "../../config/constraint-plan.ts";
import { DefinitionUnknownError, keepDefinition, knownDefinition, subjectOf } from "../constraint-record.ts";
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
    const live = await (await constraintsOf(run, database)).open(run, database);
    try {
      await keepDefinitions(run, live, database);
      for (const name of constraintOrder(constraints, pins.constraints ?? {}))
        if (constraints[name]!.database === database) done.push(await bring({ run, live, name, violations }, pins));
      await allOffered(run, live, database, pins);
    } finally {
      await live.end();
    }
  }
  return done;
}

/** Everything that is there is remembered, so that what somebody drops by hand can be brought back as well. */
async function keepDefinitions(run: Run, live: ConstraintSession, database: string): Promise<void> {
  for (const [name, constraint] of Object.entries(run.definition.constraints ?? {})) {
    if (constraint.database !== database) continue;
    const found = await live.find({ table: constraint.table, name });
    if (found !== null) await keepDefinition(run.state, name, constraint, await live.save(found));
  }
}

interface Task {
  run: Run;
  live: ConstraintSession;
  name: string;
  violations: "reject" | "quarantine";
}

const WORDS: Record<ConstraintState, string> = { dropped: "drop", enforced: "enforce", unvalidated: "enforce for new rows" };

async function bring(task: Task, pins: Pins): Promise<ConstraintDone> {
  const { run, live, name } = task;
  const constraint = run.definition.constraints![name]!;
  const state = pins.constraints?.[name] ?? "enforced";
  const found = await live.find({ table: constraint.table, name });
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

async function drop({ run, live, name }: Task, constraint: ConstraintDefinition): Promise<Pick<ConstraintDone, "how" | "quarantined">> {
  if (constraint.risk === "HIGH") await checkWayBack(run, live, name, constraint);
  return {
    how: await live.drop({ table: constraint.table, name }, recorder(run, live, name, constraint, "drop")),
    quarantined: [],
  };
}

async function enforce(
  { run, live, name, violations }: Task,
  constraint: ConstraintDefinition,
  state: ConstraintState,
  { enforced, definition }: { enforced: boolean; definition: string | undefined },
): Promise<Pick<ConstraintDone, "how" | "quarantined">> {
  const { table } = constraint;
  const saved = await knownDefinition(run.state, name, constraint, definition);
  if (saved === null) throw new DefinitionUnknownError(name, table);
  const subject = subjectOf(name, constraint, definition);
  if (state === "unvalidated" && enforced) return { how: await live.unvalidate(subject, saved), quarantined: [] };
  const quarantined: Quarantined[] = [];
  const moveAway = async (condition: string): Promise<void> => {
    const moved = await live.quarantine(table, condition, run.epoch, `violates ${name}`);
    for (const { table: from, into, rows } of moved) run.log("warning", `${rows} rows of ${from} were moved to ${into}`);
    quarantined.push(...moved);
  };
  const enforcement = { saved, validate: state === "enforced", ...(violations === "quarantine" ? { moveAway } : {}) };
  const how = await live.enforce(subject, enforcement, recorder(run, live, name, constraint, "recover"));
  return { how, quarantined };
}

/** Where the system keeps its own record, each result goes there. */
function recorder(
  run: Run,
  { session }: ConstraintSession,
  name: string,
  constraint: ConstraintDefinition,
  what: "drop" | "recover",
): Recorder {
  const records = run.definition.constraintRecords;
  if (records === undefined || records.database !== constraint.database) return async () => Promise.resolve();
  return async (result, notes, durationMs) => {
    if (!(await hasTable(session, records.requiresTable))) return;
    const rollout = await run.state.rollout(run.epoch);
    const why = [notes, `rollout ${run.epoch}`, run.runId, ...(rollout?.reason == null ? [] : [rollout.reason])].join("; ");
    await session.run(records.writeSql, [rollout?.plan.scope ?? null, what, name, constraint.table, result, why, Math.round(durationMs)]);
  };
}

/** What this rollout dropped must be offered for recovery by the system's own record. */
async function allOffered(run: Run, { session }: ConstraintSession, database: string, pins: Pins): Promise<void> {
  const records = run.definition.constraintRecords;
  if (records === undefined || records.database !== database || !(await hasTable(session, records.requiresTable))) return;
  const rollout = await run.state.rollout(run.epoch);
  const offered = await session.all<{ name: string; table: string }>(records.offeredSql);
  for (const { name, table } of rollout?.plan.constraints ?? [])
    if (pins.constraints?.[name] === "dropped" && !offered.some((row) => row.name === name && row.table === table))
      throw new NotRecordedError(name, table);
}

/**
 * The snapshot of this rollout must have the constraint, and as many rows of its table. Where the data itself was brought back,
 * what was live is in quarantine.
 */
async function checkWayBack(run: Run, live: ConstraintSession, name: string, { database, table }: ConstraintDefinition): Promise<void> {
  const rollout = await run.state.rollout(run.epoch);
  const action = rollout?.plan.databases[database]?.action.kind;
  if (action !== undefined && action !== "none") return;
  const snapshot = await run.state.snapshotOfEpoch(database, BEFORE_DROP, run.epoch);
  if (snapshot?.state !== "ready") throw new NoWayBackError(name, `rollout ${run.epoch} has no snapshot ${BEFORE_DROP} of ${database}`);
  const copy = await (await constraintsOf(run, database)).openSnapshot(run, snapshot).catch((error: Error) => {
    throw new NoWayBackError(name, `the snapshot cannot be opened: ${error.message}`);
  });
  if (copy === null) return;
  try {
    if ((await copy.find({ table, name })) === null) throw new NoWayBackError(name, `the snapshot does not have it either`);
    const [there, here] = [await rowsOf(copy, table), await rowsOf(live, table)];
    if (there !== here) throw new NoWayBackError(name, `the snapshot has ${there} rows of ${table}, the live data ${here}`);
  } finally {
    await copy.end();
  }
}

async function rowsOf({ session }: ConstraintSession, table: string): Promise<number> {
  return (await countTables(session, [table]))[table] ?? 0;
}
