/** Drops a constraint or enforces it again, and checks the result in the catalogue. Both are idempotent and answer "already". */
import type { Client } from "pg";
import { addStatements, DefinitionError, dropStatement, findConstraint, isPartitioned, restoreNeeds } from "./constraints.ts";
import { findViolations, violationCondition } from "./constraint-violations.ts";
import { atomically } from "./transaction.ts";
import {
  type Enforcement,
  type ResultRecorder,
  type Subject,
  type SavedConstraint,
  tellViolations,
  type Violations,
} from "../shared/constraints.ts";

/** The catalogue does not say what it must say after a change. */
export class ConstraintNotAsDeclaredError extends Error {
  readonly constraint: string;
  constructor(name: string, table: string, found: string, wanted: string) {
    super(`${name} on ${table} is ${found} in pg_constraint although it was ${wanted}`);
    this.name = "ConstraintNotAsDeclaredError";
    this.constraint = name;
  }
}

/** A constraint is dropped only where it can be recreated. */
export class NotDroppedError extends Error {
  readonly constraint: string;
  constructor(name: string, table: string, definition: string) {
    super(
      `${name} on ${table} is not dropped: "${definition}" cannot be recreated by backout. Pin it \`enforced\` and update the stack, or drop it by hand`,
    );
    this.name = "NotDroppedError";
    this.constraint = name;
  }
}

/** Rows that are there do not keep the rule. */
export class ConstraintViolatedError extends Error {
  readonly constraint: string;
  readonly table: string;
  readonly violations: Violations;
  constructor(name: string, table: string, violations: Violations) {
    super(
      `${name} cannot be enforced: ${table} has ${tellViolations(violations)} that violate it. Fix them, or move them to a side table with the verb \`recover --quarantine\` (backout:violations: quarantine)`,
    );
    this.name = "ConstraintViolatedError";
    this.constraint = name;
    this.table = table;
    this.violations = violations;
  }
}

/** Somebody holds the table: waiting longer would keep everybody else from it. */
const LOCK_TIMEOUT_MS = 2_000;
const TRIES = 5;

const LOCK_NOT_AVAILABLE = "55P03";

/** Runs in one transaction, and again where the table is locked. */
async function patiently(client: Client, work: () => Promise<void>): Promise<void> {
  for (let left = TRIES; ; left--) {
    try {
      return await atomically(client, async () => {
        await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await work();
      });
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || left <= 1) throw error;
    }
  }
}

/** @throws NotDroppedError */
export async function dropConstraint(client: Client, { table, name }: Subject, record: ResultRecorder): Promise<"already" | "dropped"> {
  const found = await findConstraint(client, table, name);
  if (found === null) return "already";
  try {
    addStatements(table, name, found);
  } catch (error) {
    throw error instanceof DefinitionError ? new NotDroppedError(name, table, found.definition) : error;
  }
  const startedAt = performance.now();
  await patiently(client, async () => {
    await client.query(dropStatement(table, name, found.kind));
    await record("PASS", "dropped", performance.now() - startedAt);
  });
  if ((await findConstraint(client, table, name)) !== null) throw new ConstraintNotAsDeclaredError(name, table, "still there", "dropped");
  return "dropped";
}

/**
 * Brings a constraint back: what it uses first, then the rule for new rows, then for all. Rows that violate it are looked for before anything
 * is changed; what was added for a rule that then turns out violated is taken away again.
 * @throws ConstraintViolatedError
 */
export async function enforceConstraint(
  client: Client,
  subject: Subject,
  { saved, validate, moveAway }: Enforcement,
  record: ResultRecorder,
): Promise<"already" | "validated" | "added"> {
  const { table, name } = subject;
  const found = await usable(client, subject);
  if (found !== null && (found.validated || !validate)) return "already";
  const startedAt = performance.now();
  const condition = validate ? violationCondition(table, name, saved, subject.violates) : null;
  if (found === null) await restoreNeeds(client, table, saved);
  const unfit = async (): Promise<void> => {
    const violations = condition === null ? null : await findViolations(client, table, condition);
    if (violations === null || violations.count === 0) return;
    await record("FAIL", `violated by ${tellViolations(violations)}`, performance.now() - startedAt);
    throw new ConstraintViolatedError(name, table, violations);
  };
  if (moveAway === undefined) await unfit();
  const statements = addStatements(table, name, saved, await isPartitioned(client, table));
  // An index cannot be built over rows that violate it.
  const byIndex = saved.kind === "unique" || saved.kind === "primary-key";
  if (moveAway !== undefined && condition !== null && byIndex) await moveAway(condition);
  if (found === null) {
    for (const statement of statements.concurrent) await client.query(statement);
    await patiently(client, async () => void (await client.query(statements.add)));
  }
  try {
    if (moveAway !== undefined && condition !== null) await moveAway(condition);
    await unfit();
    if (validate && statements.validate !== null) await client.query(statements.validate);
  } catch (error) {
    if (found === null) await patiently(client, async () => void (await client.query(dropStatement(table, name, saved.kind))));
    throw error;
  }
  if (found === null) await record("PASS", "recovered", performance.now() - startedAt);
  const now = await findConstraint(client, table, name);
  if (now === null || !now.enforced || (validate && !now.validated))
    throw new ConstraintNotAsDeclaredError(name, table, now === null ? "absent" : "not enforced", "brought back");
  return found === null ? "added" : "validated";
}

/** What stands there and only looks like a rule (disabled, NOT ENFORCED) is taken away, so that it can be made. */
async function usable(client: Client, { table, name }: Subject) {
  const found = await findConstraint(client, table, name);
  if (found === null || found.enforced) return found;
  await patiently(client, async () => void (await client.query(dropStatement(table, name, found.kind))));
  return null;
}

/** From enforced to a rule for new rows only, in one transaction: at no time is there none. */
export async function unvalidateConstraint(
  client: Client,
  { table, name }: Subject,
  saved: SavedConstraint,
): Promise<"already" | "loosened"> {
  const found = await findConstraint(client, table, name);
  if (found === null || !found.validated || saved.kind === "trigger") return "already";
  await patiently(client, async () => {
    await client.query(dropStatement(table, name, saved.kind));
    await client.query(addStatements(table, name, saved).add);
  });
  return "loosened";
}
