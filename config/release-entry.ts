/** Entering a release into the ledger of a stack file, and what keeps one from being removed. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { PinEdit } from "./edit.ts";
import { RefusedError, suggestion, UsageError } from "./errors.ts";
import { own } from "./own.ts";
import type { Artefact, StackConfig } from "./schema.ts";
import type { ConstraintState } from "./system/constraint.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** A release as the ledger holds it. */
export interface ReleaseEntry {
  schema: Record<string, string>;
  services: Record<string, Artefact>;
  tag?: string;
  flags?: Record<string, boolean>;
  constraints?: Record<string, ConstraintState>;
}

/** The name stands for another build. */
export class ReleaseExistsError extends RefusedError {
  readonly release: string;
  readonly differences: readonly string[];
  constructor(release: string, differences: readonly string[]) {
    super(
      `${release} is in the ledger with other content: ${differences.join("; ")}. A release never changes: enter this one under another name; nothing was changed`,
    );
    this.name = "ReleaseExistsError";
    this.release = release;
    this.differences = differences;
  }
}

/**
 * The newest migration of each database, unless another one is given (`<database>=<migration>`; of a single database the migration alone).
 * @throws UsageError
 */
export function schemaOf({ databases }: Pick<SystemDefinition, "databases">, given: readonly string[]): Record<string, string> {
  const known = Object.keys(databases);
  const schema: Record<string, string> = {};
  for (const [database, { migrations }] of Object.entries(databases)) {
    const newest = migrations.at(-1)?.name;
    if (newest !== undefined) schema[database] = newest;
  }
  for (const text of given) {
    const at = text.indexOf("=");
    const database = at === -1 && known.length === 1 ? known[0]! : text.slice(0, Math.max(at, 0));
    const migration = text.slice(at + 1);
    if (!known.includes(database))
      throw new UsageError(
        `--schema "${text}": write it as <database>=<migration>; databases: ${known.join(", ") || "none"}${suggestion(database, known)}`,
      );
    const names = databases[database]!.migrations.map(({ name }) => name);
    if (!names.includes(migration))
      throw new UsageError(
        `--schema "${text}": ${database} has no such migration, only ${names.join(", ") || "none"}${suggestion(migration, names)}`,
      );
    schema[database] = migration;
  }
  return schema;
}

/**
 * Settings by service: `KEY=VALUE` is for every service, `<service>:KEY=VALUE` for one.
 * @throws UsageError
 */
export function settingsOf(services: readonly string[], given: readonly string[]): Record<string, Record<string, string>> {
  const settings: Record<string, Record<string, string>> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`--config "${text}": write it as KEY=VALUE, or <service>:KEY=VALUE`);
    const [, service, key] = /^(?:([^:]+):)?(.+)$/.exec(text.slice(0, at)) ?? [];
    if (key === undefined || (service !== undefined && !services.includes(service)))
      throw new UsageError(
        `--config "${text}": there is no service "${service ?? ""}", only ${services.join(", ")}${suggestion(service ?? "", [...services])}`,
      );
    for (const name of service === undefined ? services : [service]) settings[name] = { ...settings[name], [key]: text.slice(at + 1) };
  }
  return settings;
}

/**
 * The edits that enter a release; empty: it is there with this content. The first release is also the pin.
 * @param config as it is; null: the stack file has no ledger yet
 * @throws ReleaseExistsError
 */
export function entryEdits(config: Pick<StackConfig, "releases"> | null, release: string, entry: ReleaseEntry): PinEdit[] {
  const there = own(config?.releases ?? {}, release);
  if (there !== undefined) {
    const differences = differencesOf(there, entry);
    if (differences.length > 0) throw new ReleaseExistsError(release, differences);
    return [];
  }
  const { schema, services, tag } = entry;
  const value = { ...(Object.keys(schema).length === 0 ? {} : { schema }), services, ...(tag === undefined ? {} : { tag }) };
  return [{ path: ["releases", release], value }, ...(config === null ? [{ path: ["release"], value: release } satisfies PinEdit] : [])];
}

/** Its value may be a secret. */
const SETTING = /^services\.[^.]+\.config\./;

function differencesOf(there: object, entry: ReleaseEntry): string[] {
  const [was, is] = [flat(there), flat(entry)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((key) => !isDeepStrictEqual(was.get(key), is.get(key)))
    .map((key) => (SETTING.test(key) ? `${key} differs` : `${key} is ${was.get(key) ?? "not set"}, not ${is.get(key) ?? "left away"}`));
}

/** Values by path. */
function flat(value: object, under = ""): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, string][] => {
      const path = under === "" ? key : `${under}.${key}`;
      if (typeof inner === "object" && inner !== null) return [...flat(inner, path)];
      return inner === undefined ? [] : [[path, typeof inner === "string" ? inner : JSON.stringify(inner)]];
    }),
  );
}

/** What is known of the releases of a stack. */
export interface ReleasesInUse {
  config: Pick<StackConfig, "release" | "services">;
  /** Releases that run: the last rollout's, opened or not. */
  running: readonly string[];
  /** Releases that an undo goes back to. */
  before: readonly string[];
  /** Release that a rollback goes back to; null: none. */
  back: string | null;
}

/** Why a release has to stay in the ledger; null: it may go. */
export function neededBecause(release: string, { config, running, before, back }: ReleasesInUse): string | null {
  if (config.release === release) return "it is pinned by backout:release";
  const service = Object.entries(config.services).find(([, pin]) => pin.release === release)?.[0];
  if (service !== undefined) return `it is pinned by backout:services.${service}.release`;
  if (running.includes(release)) return "it runs";
  if (release === back) return "a rollback goes back to it";
  return before.includes(release) ? "an undo goes back to it" : null;
}
