/** The systems that come with backout: each is a module under `systems/` that exports `definition`, loaded by name as a user's own module is. */
import { UsageError } from "./errors.ts";
import { existsSync, readdirSync } from "node:fs";
import type { SystemDefinition } from "./system/definition.ts";

const FOLDER = new URL("../systems/", import.meta.url);
const MODULE = `definition.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`;

/** Read when asked for: whoever has a module of its own needs none of them. */
export function systemNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => existsSync(new URL(`${name}/${MODULE}`, FOLDER)))
    .sort();
}

export class UnknownSystemError extends UsageError {
  readonly system: string;
  /** Pulumi shows the message alone. */
  readonly __pulumiRunError = true;
  constructor(system: string) {
    super(
      `there is no system "${system}"; known are ${systemNames().join(", ")}. A system of your own is named by its module: set backout:definition`,
    );
    this.name = "UnknownSystemError";
    this.system = system;
  }
}

/** @throws UnknownSystemError */
export async function loadSystem(name: string): Promise<SystemDefinition> {
  if (!systemNames().includes(name)) throw new UnknownSystemError(name);
  return ((await import(new URL(`${name}/${MODULE}`, FOLDER).href)) as { definition: SystemDefinition }).definition;
}
