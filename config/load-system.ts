/**
 * The systems that come with backout: each is a module under `systems/` that exports `definition`, loaded by name.
 */
import { withFileChecks } from "./checks/load.ts";
import { UsageError } from "./errors.ts";
import { existsSync, readdirSync } from "node:fs";
import type { DrilledSystem } from "./system/definition.ts";

const FOLDER = new URL("../systems/", import.meta.url);
const MODULE = `definition.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`;

/** Read on demand: a project with its own module needs none of them. */
export function systemNames(): string[] {
  return systemsIn(FOLDER);
}

/** Every folder with a definition is a system. */
export function systemsIn(folder: URL): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(new URL(`${name}/${MODULE}`, folder)))
    .sort();
}

export class UnknownSystemError extends UsageError {
  readonly system: string;
  /** Pulumi shows only the message. */
  readonly __pulumiRunError = true;
  constructor(system: string) {
    super(
      `system "${system}" not found; known are ${systemNames().join(", ")}. A system of your own is declared by your program: remove backout:system`,
    );
    this.name = "UnknownSystemError";
    this.system = system;
  }
}

/** With the checks of its folder. @throws UnknownSystemError, ConfigErrors */
export function loadSystem(name: string): Promise<DrilledSystem> {
  return loadFrom(FOLDER, name);
}

/** @throws UnknownSystemError, ConfigErrors */
export async function loadFrom(folder: URL, name: string): Promise<DrilledSystem> {
  if (!systemsIn(folder).includes(name)) throw new UnknownSystemError(name);
  const { definition } = (await import(new URL(`${name}/${MODULE}`, folder).href)) as { definition: DrilledSystem };
  return withFileChecks(definition);
}
