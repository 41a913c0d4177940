/**
 * The order of the releases. Only the stack file has it, where each new release is entered last: Pulumi's engine sorts the keys that it
 * gives to a program, and JavaScript moves numeric names to the front.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isAlias, isMap, isScalar } from "yaml";
import { ConfigError, ConfigErrors, NAMESPACE, UsageError } from "./errors.ts";
import { documentOf } from "./stack-text.ts";

/**
 * The releases in the order of a stack file, oldest first; null: it lists none.
 * @param file name of the text in errors
 * @throws StackFileError; ConfigErrors for a name that YAML reads as a number, which changes it
 */
export function ledgerOrder(text: string, file?: string): string[] | null {
  const { document } = documentOf(text, file);
  const found = document.getIn(["config", `${NAMESPACE}:releases`], true);
  const releases = isAlias(found) ? found.resolve(document) : found;
  if (!isMap(releases)) return null;
  const keys = releases.items.map(({ key }) => (isScalar(key) ? { value: key.value, written: key.source ?? String(key.value) } : null));
  const wrong = keys.flatMap((key) => (key === null || typeof key.value === "string" ? [] : [key.written]));
  if (wrong.length > 0)
    throw new ConfigErrors(
      wrong.map(
        (name) => new ConfigError(`${NAMESPACE}:releases.${name}`, name, `YAML reads it as a number or keyword: write "${name}" in quotes`),
      ),
    );
  return keys.flatMap((key) => (key === null ? [] : [key.value as string]));
}

/** Folder of the stack files, set by the starter of the engine: a program outside its project cannot find it. */
export const STACKS_VARIABLE = "BACKOUT_STACKS";

/**
 * The order as far as a stack's program knows it; null if its stack file cannot be read, or is not the one that the engine read
 * (`--config-file`). Then the state's list of opened releases decides.
 * @param given releases from the engine, in any order
 * @param folder of the stack files
 */
export function declaredOrder(folder: string, stack: string, given: readonly string[]): string[] | null {
  const file = join(folder, `Pulumi.${stack}.yaml`);
  const order = existsSync(file) ? ledgerOrder(readFileSync(file, "utf8"), file) : null;
  return order !== null && order.length === given.length && given.every((release) => order.includes(release)) ? order : null;
}

/**
 * Every known release, oldest first: the ledger's, and opened ones that were removed from it, each after the one that opened before it.
 * @param ledger null: unknown; then the state decides, and releases that never opened come last
 * @param opened releases in the order in which they opened
 */
export function releaseOrder(ledger: readonly string[] | null, opened: readonly string[]): string[] {
  const order = [...(ledger ?? [])];
  let before = -1;
  for (const release of opened) {
    if (!order.includes(release)) order.splice(before + 1, 0, release);
    before = order.indexOf(release);
  }
  return order;
}

/** Whether `release` is newer than `other`. An unknown release counts as newer. */
export function standsAfter(order: readonly string[], release: string, other: string): boolean {
  if (release === other) return false;
  const at = order.indexOf(release);
  return at === -1 || at > order.indexOf(other);
}

export interface NewestQuestion {
  /** Every known release, oldest first. */
  order: readonly string[];
  /** Releases of the ledger. */
  ledger: readonly string[];
  /** Blocked releases, with the reason. */
  blocked: Readonly<Record<string, string>>;
  /** Release that opened last; null: none. */
  running: string | null;
}

/**
 * The release that a deployment without a name means: the newest one of the ledger that is not blocked and not older than the one that runs.
 * @throws UsageError where there is none
 */
export function newestRelease({ order, ledger, blocked, running }: NewestQuestion): { release: string; why: string } {
  const newer = order.filter((release) => ledger.includes(release) && (running === null || standsAfter(order, release, running)));
  const passedOver = newer
    .filter((release) => Object.hasOwn(blocked, release))
    .map((release) => `${release} (blocked by ${blocked[release]!})`);
  const release = newer.findLast((one) => !Object.hasOwn(blocked, one)) ?? running;
  const blockedToo = passedOver.length === 0 ? "" : `; not ${passedOver.join(", ")}`;
  if (release === null || !ledger.includes(release))
    throw new UsageError(`the ledger backout:releases has no release to deploy${blockedToo}: enter one with \`release add\``);
  const why =
    release === running
      ? "it runs, and the ledger has no newer release that may be deployed"
      : `the newest release of the ledger${running === null ? ", and nothing is deployed yet" : `; ${running} runs`}`;
  return { release, why: `${why}${blockedToo}` };
}
