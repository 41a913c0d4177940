/**
 * The order of the releases. It stands in the stack file, where each new release is entered behind the others, and nowhere else: the engine sorts
 * the keys of what it hands to a program, and JavaScript moves names that are numbers to the front.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isAlias, isMap, isScalar } from "yaml";
import { ConfigError, ConfigErrors, NAMESPACE } from "./errors.ts";
import { documentOf } from "./stack-text.ts";

/**
 * The releases as a stack file lists them, oldest first; null where it lists none.
 * @param file what the text is called in errors
 * @throws StackFileError; ConfigErrors for a name that YAML takes for a number: it is another one by then
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
        (name) =>
          new ConfigError(
            `${NAMESPACE}:releases.${name}`,
            name,
            `YAML takes it for a number or a word of its own: write "${name}" in quotes`,
          ),
      ),
    );
  return keys.flatMap((key) => (key === null ? [] : [key.value as string]));
}

/** Folder of the stack files, told by whoever started the engine: a program that lies elsewhere than its project cannot know it. */
export const STACKS_VARIABLE = "BACKOUT_STACKS";

/**
 * The order as the program of a stack can know it; null where its stack file cannot be read, or is not the one that the engine read
 * (`--config-file`). Then the record of what opened decides.
 * @param given releases as the engine hands them over, in whatever order
 * @param folder of the stack files
 */
export function declaredOrder(folder: string, stack: string, given: readonly string[]): string[] | null {
  const file = join(folder, `Pulumi.${stack}.yaml`);
  const order = existsSync(file) ? ledgerOrder(readFileSync(file, "utf8"), file) : null;
  return order !== null && order.length === given.length && given.every((release) => order.includes(release)) ? order : null;
}

/**
 * Every release that is known, oldest first: the ledger's, and those that opened and are in it no more, each behind the one that opened before it.
 * @param ledger null: not known, so that the record alone decides, and whatever never opened comes after everything that did
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

/** Whether `release` is newer than `other`. One whose place nobody knows is. */
export function standsAfter(order: readonly string[], release: string, other: string): boolean {
  if (release === other) return false;
  const at = order.indexOf(release);
  return at === -1 || at > order.indexOf(other);
}
