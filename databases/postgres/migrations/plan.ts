/** Which migrations to apply or take back: pure decisions about known migrations and their states. */
import { MigrationUnfinishedError, MissingDownScriptError, SchemaDoesNotFitError, UnknownMigrationError } from "./errors.ts";
import { downScript, planScript, type Migration } from "./script.ts";
import { isApplied, type MigrationState } from "./status.ts";

/**
 * Migrations to apply so that `target` and every older one are applied, oldest first. Newer ones are left as they are.
 * @throws UnknownMigrationError when the target is not known.
 * @throws MigrationUnfinishedError when one of them was started elsewhere and never finished.
 */
export function planUp<M extends { name: string }>(known: readonly M[], states: readonly MigrationState[], target: string): M[] {
  const upTo = known.slice(0, placeOf(known, target) + 1);
  const byName = new Map(states.map((state) => [state.name, state]));
  refuseUnfinished(upTo, byName);
  return upTo.filter(({ name }) => !isApplied(byName.get(name) ?? { status: "pending" }));
}

/**
 * Migrations to take back so that nothing newer than `target` is applied, newest first; null takes back all.
 * @throws UnknownMigrationError when the target is not known, or a migration that is newer by its name is applied but not in the definition.
 * @throws MigrationUnfinishedError when one of them was started elsewhere and never finished.
 */
export function planDown<M extends { name: string }>(known: readonly M[], states: readonly MigrationState[], target: string | null): M[] {
  const newer = target === null ? known : known.slice(placeOf(known, target) + 1);
  const byName = new Map(states.map((state) => [state.name, state]));
  const names = new Set(known.map(({ name }) => name));
  const stranger = states.find((state) => !names.has(state.name) && isApplied(state) && (target === null || state.name > target));
  if (stranger !== undefined) throw new UnknownMigrationError(stranger.name, "ledger only");
  refuseUnfinished(newer, byName);
  return newer.filter(({ name }) => isApplied(byName.get(name) ?? { status: "pending" })).reverse();
}

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

/**
 * A release fits when every known migration up to the one it needs is applied; newer ones do no harm.
 * @param needed name of the newest migration the release needs; null where it needs none.
 * @throws UnknownMigrationError @throws SchemaDoesNotFitError
 */
export function assertSchemaFits(known: readonly { name: string }[], states: readonly MigrationState[], needed: string | null): void {
  if (needed === null) return;
  const byName = new Map(states.map((state) => [state.name, state]));
  const upTo = known.slice(0, placeOf(known, needed) + 1).map(({ name }) => name);
  const missing = upTo.filter((name) => !isApplied(byName.get(name) ?? { status: "pending" }) && byName.get(name)?.status !== "failed");
  const unfinished = states.filter(({ name, status, clean }) => status === "failed" && (!clean || upTo.includes(name)));
  if (missing.length > 0 || unfinished.length > 0) {
    throw new SchemaDoesNotFitError(
      needed,
      missing,
      unfinished.map(({ name }) => name),
    );
  }
}

function placeOf(known: readonly { name: string }[], target: string): number {
  const place = known.findIndex(({ name }) => name === target);
  if (place === -1) throw new UnknownMigrationError(target, "definition");
  return place;
}

function refuseUnfinished(among: readonly { name: string }[], byName: Map<string, MigrationState>): void {
  const unfinished = among.filter(({ name }) => byName.get(name)?.status === "failed" && byName.get(name)?.clean === false);
  if (unfinished.length > 0) throw new MigrationUnfinishedError(unfinished.map(({ name }) => name));
}
