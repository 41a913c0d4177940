/** The systems that come with backout, by name. Loaded when asked for. */
import type { SystemDefinition } from "../config/system/definition.ts";

const SYSTEMS: Record<string, () => Promise<SystemDefinition>> = {
  "orbis-forge": async () => (await import("./orbis-forge/definition.ts")).orbisForge,
  "pfa-vanguard": async () => (await import("./pfa-vanguard/definition.ts")).pfaVanguard,
  "radiation-health": async () => (await import("./radiation-health/definition.ts")).radiationHealth,
  "service-center": async () => (await import("./service-center/definition.ts")).serviceCenter,
  "solar-panel": async () => (await import("./solar-panel/definition.ts")).solarPanel,
};

export const SYSTEM_NAMES: readonly string[] = Object.keys(SYSTEMS);

export class UnknownSystemError extends Error {
  readonly system: string;
  /** Pulumi shows the message alone. */
  readonly __pulumiRunError = true;
  constructor(system: string) {
    super(
      `there is no system "${system}"; known are ${SYSTEM_NAMES.join(", ")}. A system of your own is named by its module: set backout:definition`,
    );
    this.name = "UnknownSystemError";
    this.system = system;
  }
}

/** @throws UnknownSystemError */
export async function loadSystem(name: string): Promise<SystemDefinition> {
  const load = Object.hasOwn(SYSTEMS, name) ? SYSTEMS[name] : undefined;
  if (load === undefined) throw new UnknownSystemError(name);
  return load();
}
