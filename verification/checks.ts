/** Runs a system's checks in their order. One library, used inside an update and by `backout verify`. */
import type { CheckContext, CheckResult, SystemDefinition } from "../systems/definition.ts";

/** Ids of the checks of a scope, in the definition's order; every check where no scope fits. */
export function checksFor(definition: SystemDefinition, scope: string | null): string[] {
  const wanted = scope === null ? null : definition.scopes[scope]?.checks;
  return definition.checks.map(({ id }) => id).filter((id) => wanted == null || wanted.includes(id));
}

/** A check that throws has failed: what cannot be seen is not verified. */
export async function runChecks(definition: SystemDefinition, ids: string[], context: CheckContext): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of definition.checks) {
    if (!ids.includes(check.id)) continue;
    try {
      results.push({ name: check.id, ...(await check.run(context)) });
    } catch (error) {
      results.push({ name: check.id, status: "failed", detail: error instanceof Error ? error.message : String(error) });
    }
  }
  return results;
}
