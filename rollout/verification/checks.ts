/** Runs a system's checks in their order. One library, used inside an update and by `backout verify`. */
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { CheckContext, CheckDefinition, CheckResult } from "../../config/system/check.ts";

/** Ids of the checks of a scope, in the definition's order; every check where no scope fits. */
export function checksFor(definition: SystemDefinition, scope: string | null): string[] {
  const wanted = scope === null ? null : definition.scopes[scope]?.checks;
  return definition.checks.map(({ id }) => id).filter((id) => wanted == null || wanted.includes(id));
}

/** Checks that run at the same time at most: each may be a process of its own. */
const AT_ONCE = 8;

/**
 * A check that throws has failed: what cannot be seen is not verified.
 * @param ended is called after each check with the time it took
 */
export async function runChecks(
  definition: SystemDefinition,
  ids: string[],
  context: CheckContext,
  ended: (check: CheckDefinition, durationMs: number) => void = () => undefined,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const group of together(definition.checks.filter(({ id }) => ids.includes(id)))) {
    const waiting = group.map((check, index) => ({ check, index: results.length + index }));
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const began = performance.now();
        results[next.index] = await runCheck(next.check, context);
        ended(next.check, Math.round(performance.now() - began));
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, group.length) }, worker));
  }
  return results;
}

/** In order, those next to each other that only read in one group. */
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
