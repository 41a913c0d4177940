/** Which constraints change in a rollout, and in which order. Pure. */
import { RISK_RANK, type ConstraintDefinition, type ConstraintState } from "./system/constraint.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { DatabasePlan, PlanInput, ConstraintChange } from "./plan.ts";

/** Snapshot that is taken before a constraint of HIGH risk is dropped. */
export const BEFORE_DROP = "before-drop";

type Constraints = NonNullable<SystemDefinition["constraints"]>;

/**
 * The order of constraint changes: first drops, most urgent first, then enforcements, lowest risk first. Within the same priority or risk
 * the definition's order counts.
 */
export function constraintOrder(constraints: Constraints, states: Record<string, ConstraintState>): string[] {
  const names = Object.keys(constraints);
  const of = (name: string): ConstraintDefinition => constraints[name]!;
  const dropped = names.filter((name) => states[name] === "dropped").sort((a, b) => of(a).priority - of(b).priority);
  const kept = names
    .filter((name) => states[name] !== "dropped")
    .sort((a, b) => RISK_RANK[of(a).risk] - RISK_RANK[of(b).risk] || of(b).priority - of(a).priority);
  return [...dropped, ...kept];
}

/**
 * Differences between the system catalog (or, if unreachable, the pins in force) and the pins. New or restored data has its own
 * constraints.
 */
export function planConstraints({ definition, from, to, databases }: PlanInput, plans: Record<string, DatabasePlan>): ConstraintChange[] {
  const constraints = definition.constraints ?? {};
  const wanted = to.constraints ?? {};
  return constraintOrder(constraints, wanted).flatMap((name) => {
    const { database, table, risk, kind } = constraints[name]!;
    if (plans[database]?.action.kind !== "none") return [];
    const known = databases[database]?.constraints?.[name] ?? from?.constraints?.[name] ?? "enforced";
    const state = wanted[name] ?? "enforced";
    // The catalog does not say whether existing rows were checked when a trigger was created.
    if (known === state || (kind === "trigger" && known === "enforced" && state === "unvalidated")) return [];
    const definition = to.definitions?.[name];
    return [{ name, database, table, risk, from: known, to: state, ...(definition === undefined ? {} : { definition }) }];
  });
}

/** The rule is weaker afterwards: production stops for it. */
export function loosens({ from, to }: ConstraintChange): boolean {
  return to === "dropped" || (to === "unvalidated" && from === "enforced");
}

export function needsSnapshot({ risk, to }: ConstraintChange): boolean {
  return to === "dropped" && risk === "HIGH";
}
