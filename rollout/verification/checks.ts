/** Runs a system's checks in their order. One library, used inside an update and by `backout verify`. */
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { CheckContext, CheckDefinition, CheckResult } from "../../config/system/check.ts";

/** Ids of the checks of a scope, in the definition's order; every check where no scope fits. */
export function checksFor(definition: SystemDefinition, scope: string | null): string[] {
  const wanted = scope === null ? null : definition.scopes[scope]?.checks;
  return definition.checks.map(({ id }) => id).filter((id) => wanted == null || wanted.includes(id));
}

/** A check that throws has failed: what cannot be seen is not verified. */
export async function runChecks(definition: SystemDefinition, ids: string[], context: CheckContext): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const group of together(definition.checks.filter(({ id }) => ids.includes(id))))
    results.push(...(await Promise.all(group.map((check) => runCheck(check, context)))));
  return results;
}

/** In order, those next to each other that only ask in one group. */
function together(checks: readonly CheckDefinition[]): CheckDefinition[][] {
  const groups: CheckDefinition[][] = [];
  for (const check of checks) {
    const last = groups.at(-1);
    if (check.asks === true && last?.[0]?.asks === true) last.push(check);
    else groups.push([check]);
  }
  return groups;
}

async function runCheck(check: CheckDefinition, context: CheckContext): Promise<CheckResult> {
  try {
    return { name: check.id, ...(await check.run(context)) };
  } catch (error) {
    return { name: check.id, status: "failed", detail: error instanceof Error ? error.message : String(error) };
  }
}
