/** `path`: a Pulumi the user has installed; `release`: the official release, downloaded; `build`: built with Go from the published modules. */
export type EngineSource = "path" | "release" | "build";

/** All sources, in the order in which they are tried. */
export const ENGINE_SOURCES: readonly EngineSource[] = ["path", "release", "build"];

/** Why one source did not give an engine. */
export interface SourceFailure {
  source: EngineSource;
  reason: string;
}

/** `BACKOUT_ENGINE_SOURCES` names something that is no source of the engine. */
export class UnknownSourceError extends Error {
  override readonly name = "UnknownWayError";
  readonly value: string;

  constructor(value: string) {
    super(
      `BACKOUT_ENGINE_SOURCES has "${value}", which is no source of the engine: allowed are ${ENGINE_SOURCES.join(", ")}, separated by commas.`,
    );
    this.value = value;
  }
}

const WHAT_HELPS: Record<EngineSource, string> = {
  path: "install Pulumi 3.227 or newer, with its Node language host, and have it on the PATH",
  release: "let this machine download the official Pulumi release",
  build: "install Go 1.25.11 or newer and let it reach a Go module proxy",
};

/** No source gave an engine. */
export class NoEngineError extends Error {
  override readonly name = "NoEngineError";
  readonly refusals: readonly SourceFailure[];

  constructor(refusals: readonly SourceFailure[]) {
    const lines = refusals.map(({ source, reason }) => `  ${source.padEnd(8)} ${reason}\n           What helps: ${WHAT_HELPS[source]}.`);
    super(`No Pulumi engine was found. Any one of these sources is enough; then run the same command again:\n${lines.join("\n")}`);
    this.refusals = refusals;
  }
}

/** The sources that `BACKOUT_ENGINE_SOURCES` allows, in the usual order; all of them when it is not set. */
export function allowedSources(value: string | undefined = process.env["BACKOUT_ENGINE_SOURCES"]): EngineSource[] {
  if (value === undefined || value.trim() === "") return [...ENGINE_SOURCES];
  const named = value.split(",").map((name) => name.trim());
  const unknown = named.find((name) => !(ENGINE_SOURCES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new UnknownSourceError(unknown);
  return ENGINE_SOURCES.filter((way) => named.includes(way));
}
