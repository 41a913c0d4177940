/** What a change of constraints would meet: rows that violate what is to be enforced, and reasons not to begin. Touches nothing. */
import type { StateStore } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { constraintsOf } from "../databases/registry.ts";
import { UnreachableError } from "../databases/shared/unreachable.ts";
import { tellViolations, type Violations } from "../databases/shared/constraints.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { BEFORE_DROP, loosens, needsSnapshot } from "../config/constraint-plan.ts";
import type { ConstraintChange, RolloutPlan } from "../config/plan.ts";
import { DefinitionUnknownError, knownDefinition, subjectOf } from "./constraint-record.ts";

export interface ConstraintPreview extends ConstraintChange {
  /** Rows that violate what is to be enforced; null where nothing was looked for. */
  violations: Violations | null;
  /** Why it is not known, or what stands in the way. */
  problem: string | null;
}

export async function previewConstraints(
  site: Site,
  definition: SystemDefinition,
  state: StateStore | null,
  { constraints = [], databases }: Pick<RolloutPlan, "constraints" | "databases">,
): Promise<ConstraintPreview[]> {
  const previews: ConstraintPreview[] = [];
  for (const change of constraints) {
    // A migration that is still to come may bring it, and what it needs.
    if (change.from === "dropped" && (databases[change.database]?.up.length ?? 0) > 0) {
      previews.push({ ...change, violations: null, problem: null });
      continue;
    }
    const looked = await inspectConstraint(site, definition, state, change).catch((error: Error) => ({
      violations: null,
      // A fenced database is not inspected; the step inspects it.
      problem: error instanceof UnreachableError ? null : error.message,
    }));
    previews.push({ ...change, ...looked });
  }
  return previews;
}

async function inspectConstraint(
  site: Site,
  definition: SystemDefinition,
  state: StateStore | null,
  { name, table, database, to, definition: pinned }: ConstraintChange,
): Promise<Pick<ConstraintPreview, "violations" | "problem">> {
  const constraint = definition.constraints![name]!;
  const live = await (await constraintsOf({ site, definition }, database)).openToRead({ site, definition }, database);
  try {
    if (to === "dropped") {
      const others = await live.dependents({ table, name });
      return { violations: null, problem: others.length === 0 ? null : `${others.join(", ")} rest on it: drop them first` };
    }
    if (to === "unvalidated") return { violations: null, problem: null };
    const saved = await knownDefinition(state, name, constraint, pinned);
    if (saved === null) throw new DefinitionUnknownError(name, table);
    return { violations: await live.violations(subjectOf(name, constraint, pinned), saved), problem: null };
  } finally {
    await live.end();
  }
}

/** Reasons not to begin: what cannot be done at all, and violations that would stop a rollout when users are out already. */
export function constraintRefusals(
  plan: RolloutPlan,
  previews: readonly ConstraintPreview[],
  violations: "reject" | "quarantine",
): string[] {
  return previews.flatMap(({ name, table, problem, violations: found }) => {
    if (problem !== null) return [`backout:constraints.${name}: ${problem}`];
    const stops = violations === "reject" && plan.closeGate && found !== null && found.count > 0;
    return stops
      ? [
          `backout:constraints.${name} is to be enforced, but ${table} has ${tellViolations(found)} that violate it: fix them, set backout:violations to "quarantine", or leave it dropped`,
        ]
      : [];
  });
}

export function constraintLines(previews: readonly ConstraintPreview[]): { severity: "info" | "warning"; line: string }[] {
  return previews.flatMap((preview) => {
    const { name, table, risk, from, to, violations, problem } = preview;
    const severity = loosens(preview) ? ("warning" as const) : ("info" as const);
    const first = needsSnapshot(preview) ? `, by itself, snapshot ${BEFORE_DROP} first` : "";
    const lines = [{ severity, line: `constraint ${name} of ${table}: ${from} → ${to} (${risk} risk${first})` }];
    if (problem !== null) lines.push({ severity: "warning", line: `constraint ${name}: ${problem}` });
    if (violations !== null && violations.count > 0)
      lines.push({ severity: "warning", line: `constraint ${name}: ${table} has ${tellViolations(violations)} that violate it` });
    return lines;
  });
}
