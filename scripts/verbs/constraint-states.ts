/** Declared and actual state of each constraint, with the rows that prevent its recovery. Changes nothing. */
import { constraintOrder } from "../../config/constraint-plan.ts";
import { knownDefinition, subjectOf } from "../../rollout/constraint-record.ts";
import { statesNow } from "../../rollout/constraint-drift.ts";
import { constraintsOf } from "../../databases/registry.ts";
import type { ConstraintSession, Violations } from "../../databases/shared/constraints.ts";
import { openState } from "../../databases/open-state.ts";
import type { ConstraintRisk, ConstraintState } from "../../config/system/constraint.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import type { OpenStack } from "../pulumi/stack.ts";

export interface ConstraintRow {
  name: string;
  table: string;
  risk: ConstraintRisk;
  priority: number;
  declared: ConstraintState;
  /** State in the system catalog; null: the database is unreachable. */
  found: ConstraintState | null;
  definition: string | null;
  /** The system's own record offers it for recovery. */
  offered: boolean;
}

/** @throws RefusedError if the system has no constraints. */
export function requireConstraints({ definition }: OpenStack): NonNullable<OpenStack["definition"]["constraints"]> {
  if (definition.constraints === undefined) throw new RefusedError(`${definition.name} declares no constraints`);
  return definition.constraints;
}

/** @throws UsageError naming the known ones. */
export function requireKnown(stack: OpenStack, names: readonly string[]): void {
  const known = Object.keys(requireConstraints(stack));
  for (const name of names)
    if (!known.includes(name)) throw new UsageError(`constraint "${name}" is not one of ${known.join(", ")}${suggestion(name, known)}`);
}

/** In drop order. */
export async function constraintRows(stack: OpenStack): Promise<ConstraintRow[]> {
  const constraints = requireConstraints(stack);
  const { site, definition, pins } = stack;
  const now = await statesNow(site, definition);
  const offered = await offeredNow(stack).catch(() => []);
  const state = await openState(site, definition).catch(() => null);
  try {
    const rows: ConstraintRow[] = [];
    for (const name of constraintOrder(constraints, Object.fromEntries(Object.keys(constraints).map((one) => [one, "dropped"])))) {
      const constraint = constraints[name]!;
      const { table, risk, priority } = constraint;
      const saved = await knownDefinition(state, name, constraint);
      rows.push({
        name,
        table,
        risk,
        priority,
        declared: pins.constraints?.[name] ?? "enforced",
        found: now[name] ?? null,
        definition: pins.definitions?.[name] ?? saved?.definition ?? null,
        offered: offered.some((row) => row.name === name && row.table === table),
      });
    }
    return rows;
  } finally {
    await state?.end();
  }
}

async function inLive<T>(stack: OpenStack, database: string, work: (live: ConstraintSession) => Promise<T>): Promise<T> {
  const live = await (await constraintsOf(stack, database)).openToRead(stack, database);
  return work(live).finally(() => live.end());
}

async function offeredNow(stack: OpenStack): Promise<{ name: string; table: string }[]> {
  const records = stack.definition.constraintRecords;
  if (records === undefined) return [];
  return inLive(stack, records.database, ({ session }) => session.all<{ name: string; table: string }>(records.offeredSql));
}

export interface Readiness {
  /** Lowest risk first. */
  candidates: {
    name: string;
    table: string;
    risk: ConstraintRisk;
    offered: boolean;
    violations: Violations | null;
    problem: string | null;
  }[];
  assessments: { title: string; passed: boolean; rows: { name: string; result: string; detail: string }[] }[];
}

/** Assessment before constraints are restored: rows that violate them, and the integrity of the data. */
export async function readiness(stack: OpenStack, names: readonly string[]): Promise<Readiness> {
  const constraints = requireConstraints(stack);
  const { site, definition, pins } = stack;
  const offered = await offeredNow(stack);
  const state = await openState(site, definition);
  try {
    const candidates: Readiness["candidates"] = [];
    for (const name of constraintOrder(constraints, {}).filter((one) => names.includes(one))) {
      const constraint = constraints[name]!;
      const { table, risk, database } = constraint;
      const row = { name, table, risk, offered: offered.some((one) => one.name === name && one.table === table) };
      const saved = await knownDefinition(state, name, constraint, pins.definitions?.[name]);
      const looked =
        saved === null
          ? { violations: null, problem: "its definition is unknown" }
          : await inLive(stack, database, async (live) => ({
              violations: await live.violations(subjectOf(name, constraint, pins.definitions?.[name]), saved),
              problem: null,
            })).catch((error: Error) => ({ violations: null, problem: error.message }));
      candidates.push({ ...row, ...looked });
    }
    return { candidates, assessments: await assess(stack) };
  } finally {
    await state?.end();
  }
}

async function assess(stack: OpenStack): Promise<Readiness["assessments"]> {
  const records = stack.definition.constraintRecords;
  if (records === undefined) return [];
  return inLive(stack, records.database, async ({ session }) => {
    const assessments: Readiness["assessments"] = [];
    for (const { title, sql } of records.assessments) {
      const rows = await session.all<{ name: string; result: string; detail: string }>(sql);
      assessments.push({ title, passed: rows.every(({ result }) => result === "PASS" || result === "SKIPPED"), rows });
    }
    return assessments;
  });
}
