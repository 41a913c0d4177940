import { MissingDownScriptError } from "./errors.ts";
import { downScript, planScript, type Migration } from "./script.ts";

/**
 * Reads every down script of a plan before the first is run.
 * @throws MissingDownScriptError naming all that are missing or empty.
 * @throws NotTransactionalError when one could not be run.
 */
export function assertCanGoDown(plan: readonly Migration[]): void {
  const missing = plan.filter((migration) => downScript(migration) === null).map(({ name }) => name);
  if (missing.length > 0) throw new MissingDownScriptError(missing);
  for (const migration of plan) planScript(migration.name, downScript(migration)!);
}
