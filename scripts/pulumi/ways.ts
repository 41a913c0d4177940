/** `path`: a Pulumi the user has installed; `release`: the official release, downloaded; `build`: built with Go from the published modules. */
export type Way = "path" | "release" | "build";

/** All ways, in the order in which they are tried. */
export const WAYS: readonly Way[] = ["path", "release", "build"];

/** Why one way did not give an engine. */
export interface Refusal {
  way: Way;
  reason: string;
}

/** `BACKOUT_ENGINE_WAYS` names something that is no way to the engine. */
export class UnknownWayError extends Error {
  override readonly name = "UnknownWayError";
  readonly value: string;

  constructor(value: string) {
    super(`BACKOUT_ENGINE_WAYS has "${value}", which is no way to the engine: allowed are ${WAYS.join(", ")}, separated by commas.`);
    this.value = value;
  }
}

const WHAT_HELPS: Record<Way, string> = {
  path: "install Pulumi 3.200 or newer, with its Node language host, and have it on the PATH",
  release: "let this machine download the official Pulumi release",
  build: "install Go 1.25.11 or newer and let it reach a Go module proxy",
};

/** None of the ways gave an engine. */
export class NoEngineError extends Error {
  override readonly name = "NoEngineError";
  readonly refusals: readonly Refusal[];

  constructor(refusals: readonly Refusal[]) {
    const lines = refusals.map(({ way, reason }) => `  ${way.padEnd(8)} ${reason}\n           What helps: ${WHAT_HELPS[way]}.`);
    super(`No Pulumi engine could be had. Any one of these ways is enough; then run the same command again:\n${lines.join("\n")}`);
    this.refusals = refusals;
  }
}

/** The ways that `BACKOUT_ENGINE_WAYS` allows, in the usual order; all of them when it is not set. */
export function allowedWays(value: string | undefined = process.env["BACKOUT_ENGINE_WAYS"]): Way[] {
  if (value === undefined || value.trim() === "") return [...WAYS];
  const named = value.split(",").map((name) => name.trim());
  const unknown = named.find((name) => !(WAYS as readonly string[]).includes(name));
  if (unknown !== undefined) throw new UnknownWayError(unknown);
  return WAYS.filter((way) => named.includes(way));
}
