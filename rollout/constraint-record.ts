/**
 * Definitions of constraints as they were seen in the database, kept in the state: dropping one never loses it. A definition that
 * changes is kept beside the one before.
 */
import { canonical } from "../config/pins.ts";
import type { SavedConstraint, Subject } from "../databases/shared/constraints.ts";
import type { ConstraintDefinition } from "../config/system/constraint.ts";

/** The part of the state that is needed. */
export interface Keeper {
  keepFirst<T>(key: string, value: T): Promise<T>;
  kept<T>(key: string): Promise<T | null>;
}

/** Neither seen in a database nor given in the definition. */
export class DefinitionUnknownError extends Error {
  readonly constraint: string;
  constructor(constraint: string, table: string) {
    super(
      `the definition of ${constraint} on ${table} is not known: it was never seen in this database, and the system's definition has none; add it by hand, or leave it dropped`,
    );
    this.name = "DefinitionUnknownError";
    this.constraint = constraint;
  }
}

const keyOf = (name: string, { database, table }: ConstraintDefinition, number: number): string =>
  `constraint/${database}/${table}/${name}/${number}`;

async function newest(
  state: Keeper,
  name: string,
  constraint: ConstraintDefinition,
): Promise<{ number: number; saved: SavedConstraint | null }> {
  let saved: SavedConstraint | null = null;
  for (let number = 0; ; number++) {
    const next = await state.kept<SavedConstraint>(keyOf(name, constraint, number + 1));
    if (next === null) return { number, saved };
    saved = next;
  }
}

/** @returns whether it was new. */
export async function keepDefinition(
  state: Keeper,
  name: string,
  constraint: ConstraintDefinition,
  found: SavedConstraint,
): Promise<boolean> {
  const { number, saved } = await newest(state, name, constraint);
  if (saved !== null && canonical(saved) === canonical(found)) return false;
  await state.keepFirst(keyOf(name, constraint, number + 1), found);
  return true;
}

/** The improved one that is pinned, else the newest one that was seen, else the system's. Null where there is none. */
export async function knownDefinition(
  state: Keeper | null,
  name: string,
  constraint: ConstraintDefinition,
  pinned?: string,
): Promise<SavedConstraint | null> {
  if (pinned !== undefined) return { kind: constraint.kind, definition: pinned, functions: [], enums: [] };
  const saved = state === null ? null : (await newest(state, name, constraint)).saved;
  if (saved !== null) return saved;
  return constraint.definition === null ? null : { kind: constraint.kind, definition: constraint.definition, functions: [], enums: [] };
}

/** The definition's own condition is for the text that was there before: a pinned definition has none, but for triggers. */
export function subjectOf(name: string, { table, kind, violates }: ConstraintDefinition, pinned?: string): Subject {
  return { table, name, ...(violates === undefined || (pinned !== undefined && kind !== "trigger") ? {} : { violates }) };
}
