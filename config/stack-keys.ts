/**
 * What a stack's home holds that cannot be made anew: the salt of its hashes and the secrets that were generated. Where the data is on a server of the
 * user's own the engine's state keeps a copy, encrypted, so that another machine goes on with the same ones.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setSecretCommand } from "./commands.ts";
import { RefusedError } from "./errors.ts";
import { keptSalt, saltFile } from "./seal.ts";
import { generatedSecrets, givenFolder } from "./secrets.ts";
import { givenSecret, keptSecret, secretFile, type Site } from "./site.ts";
import type { SystemDefinition } from "./system/definition.ts";

export interface StackKeys {
  salt: string;
  /** Generated secrets by name. */
  secrets: Record<string, string>;
  /** Names of secrets that came from outside: they are never generated. */
  given: string[];
}

/** Whether the engine's state keeps them: data on this machine is worked on from nowhere else. */
export function sharesKeys(site: Pick<Site, "server">): boolean {
  return site.server !== undefined && !site.server.embedded;
}

/** Those of this home; null: it has none yet. */
export function stackKeys(site: Site, definition: Pick<SystemDefinition, "secrets">): StackKeys | null {
  const salt = keptSalt(site);
  if (salt === null) return null;
  const names = generatedSecrets(site, definition);
  const secrets = names.flatMap((name): [string, string][] => {
    const kept = keptSecret(site, name);
    return kept === null ? [] : [[name, kept]];
  });
  const before = existsSync(givenFolder(site)) ? readdirSync(givenFolder(site)) : [];
  const given = names.filter((name) => before.includes(name) || givenSecret(site, name) !== null);
  return { salt, secrets: Object.fromEntries(secrets), given };
}

/** Whether this home lacks something that another machine may have made. */
export function lacksKeys(site: Site, definition: Pick<SystemDefinition, "secrets">): boolean {
  const keys = stackKeys(site, definition);
  if (keys === null) return true;
  return generatedSecrets(site, definition).some((name) => !(name in keys.secrets) && !keys.given.includes(name));
}

/** Writes what this home lacks; what it has stays. */
export function putKeys(site: Site, { salt, secrets, given }: StackKeys): void {
  write(saltFile(site), salt);
  for (const [name, value] of Object.entries(secrets)) write(secretFile(site, name), value);
  for (const name of given) write(join(givenFolder(site), name), "");
}

function write(file: string, value: string): void {
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, value, { mode: 0o600 });
}

/** This home and the engine's state have different values: an update by one machine was interrupted before the state had its own. */
export class KeysDifferError extends RefusedError {
  readonly files: readonly string[];
  constructor({ stack, project }: Site, files: readonly string[]) {
    super(
      `${files.join(", ")}: not what the backend keeps of stack ${stack}, which another machine made. Nothing was changed. ` +
        `Remove ${files.length === 1 ? "this file" : "these files"} and run the same command again; to set a secret yourself, use \`${setSecretCommand(project, "<name>")}\``,
    );
    this.name = "KeysDifferError";
    this.files = files;
  }
}

/** @param kept by the engine's state @throws KeysDifferError */
export function requireSameKeys(site: Site, kept: StackKeys | null, here: StackKeys | null): void {
  if (kept === null || here === null) return;
  const others = Object.entries(here.secrets).filter(([name, value]) => kept.secrets[name] !== undefined && kept.secrets[name] !== value);
  const files = [...(kept.salt === here.salt ? [] : [saltFile(site)]), ...others.map(([name]) => secretFile(site, name))];
  if (files.length > 0) throw new KeysDifferError(site, files);
}

/** What the engine's state keeps from now on: nothing is lost because this home, or this program, knows less. */
export function keysToKeep(kept: StackKeys | null, here: StackKeys | null): StackKeys | null {
  if (kept === null || here === null) return here ?? kept;
  const given = [...new Set([...kept.given, ...here.given])].filter((name) => here.given.includes(name) || !(name in here.secrets));
  return { salt: here.salt, secrets: { ...kept.secrets, ...here.secrets }, given: given.sort() };
}

/** Of the gate, in the engine's state. */
export interface Recalled {
  stackId: string | null;
  keys: StackKeys | null;
  /** It has keys, and the export does not show them. */
  hidden: boolean;
  /** The stack was deployed by a version that kept no keys there. */
  unkept: boolean;
}

interface Exported {
  deployment?: { resources?: { type?: string; inputs?: Record<string, unknown>; outputs?: Record<string, unknown> }[] } | null;
}

/** What an export of the engine's state says of the stack. */
export function recalledFrom(exported: string): Recalled {
  const resources = (JSON.parse(exported) as Exported).deployment?.resources ?? [];
  const gate = resources.find(({ type }) => type === "backout:index:TrafficGate");
  const of = (name: string): unknown => plain(gate?.outputs?.[name] ?? gate?.inputs?.[name]);
  const [stackId, keys] = [of("stackId"), of("keys")];
  return {
    stackId: typeof stackId === "string" ? stackId : null,
    keys: typeof keys === "string" ? (JSON.parse(keys) as StackKeys | null) : null,
    hidden: typeof keys === "object" && keys !== null,
    unkept: gate?.outputs?.["pid"] != null && keys == null,
  };
}

/** A secret that is shown stands in the export as JSON text inside a mark. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { plaintext } = value as { plaintext?: unknown };
  return typeof plaintext === "string" ? (JSON.parse(plaintext) as unknown) : value;
}
