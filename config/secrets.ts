/**
 * Secrets of a system's definition: `BACKOUT_SECRET_<NAME>` of the environment, else a file only its owner can read, which backout makes where
 * the definition says `generate`. One that is not set is never replaced by another. Values never reach state, records, logs or argument lists.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SystemDefinition } from "./system/definition.ts";
import { givenSecret, keptSecret, secretFile, secretOf, secretVariable, type Site } from "./site.ts";

type Home = Pick<Site, "home">;
type Secrets = Pick<SystemDefinition, "secrets">;

/** Passwords of backout's own roles: made by it, whatever a definition says. */
const OWN = ["database", "database-owner"];

/** A secret is not set, and nothing says that it may be made. */
export class SecretMissingError extends Error {
  readonly secret: string;
  readonly variable: string;
  constructor(secret: string, reason: string) {
    super(reason);
    this.name = "SecretMissingError";
    this.secret = secret;
    this.variable = secretVariable(secret);
  }
}

/** A secret as it is now; null while it is not set. Makes nothing. */
export function heldSecret(site: Home, name: string): string | null {
  return givenSecret(name) ?? keptSecret(site, name);
}

/** A secret of the definition, made where it may be. @throws SecretMissingError */
export function definedSecret(site: Home, definition: Secrets, name: string): string {
  const reason = missing(site, definition, name);
  if (reason !== null) throw new SecretMissingError(name, reason);
  return secretOf(site, name);
}

/** Why these secrets cannot be used, one sentence each; empty: every one is set, or is made. Touches nothing. */
export function missingSecrets(site: Home, definition: Secrets, names: Iterable<string>): string[] {
  return [...new Set(names)].sort().flatMap((name) => missing(site, definition, name) ?? []);
}

function missing(site: Home, definition: Secrets, name: string): string | null {
  if (OWN.includes(name) || givenSecret(name) !== null) return null;
  const variable = secretVariable(name);
  if (existsSync(givenFile(site, name)))
    return `the secret "${name}" is not set: ${variable} was set when this stack was last updated. Set it again; or, to go on with another one, remove ${givenFile(site, name)}`;
  if (definition.secrets?.[name]?.generate === true || keptSecret(site, name) !== null) return null;
  return `the secret "${name}" is not set: set the environment variable ${variable}, or write it into ${secretFile(site, name)}`;
}

/** Makes those that nobody gives and that may be made. */
export function makeSecrets(site: Home, definition: Secrets): void {
  for (const [name, { generate }] of Object.entries(definition.secrets ?? {}))
    if (generate === true && missing(site, definition, name) === null) secretOf(site, name);
}

/** Remembers which were given by the environment: without them the next update must not go on with others. */
export function rememberGiven(site: Home, names: Iterable<string>): void {
  for (const name of names) {
    if (givenSecret(name) === null) {
      rmSync(givenFile(site, name), { force: true });
      continue;
    }
    mkdirSync(join(site.home, "given-secrets"), { recursive: true, mode: 0o700 });
    writeFileSync(givenFile(site, name), `${secretVariable(name)}\n`, { mode: 0o600 });
  }
}

function givenFile(site: Home, name: string): string {
  return join(site.home, "given-secrets", name);
}
