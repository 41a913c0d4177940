/**
 * Secrets of a system's definition: `BACKOUT_SECRET_<NAME>` in the environment, else `backout:secrets` of the stack file, else a file that only its owner can read, which backout
 * generates if the definition says `generate`. A missing secret is never replaced by another. Values never reach state, records, logs or
 * argument lists.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SystemDefinition } from "./system/definition.ts";
import { setSecretCommand } from "./commands.ts";
import { suggestion } from "./errors.ts";
import { secretVariable } from "./names.ts";
import { givenSecret, keptSecret, secretFile, secretOf, type Site } from "./site.ts";

type Home = Pick<Site, "home" | "secrets" | "project">;
type Secrets = Pick<SystemDefinition, "secrets">;

/** Passwords of backout's own roles: always generated. */
const OWN = ["database", "database-owner"];

/** A secret is not set, and may not be generated. */
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

/** The current value of a secret; null: not set. Generates nothing. */
export function heldSecret(site: Home, name: string): string | null {
  return givenSecret(site, name) ?? keptSecret(site, name);
}

/** A secret of the definition, generated if allowed. @throws SecretMissingError */
export function definedSecret(site: Home, definition: Secrets, name: string): string {
  const reason = missing(site, definition, name);
  if (reason !== null) throw new SecretMissingError(name, reason);
  return secretOf(site, name);
}

/** Why these secrets cannot be used, one sentence each; empty: every one is set, or can be generated. Changes nothing. */
export function missingSecrets(site: Home, definition: Secrets, names: Iterable<string>): string[] {
  return [...new Set(names)].sort().flatMap((name) => missing(site, definition, name) ?? []);
}

function missing(site: Home, definition: Secrets, name: string): string | null {
  if (OWN.includes(name) || givenSecret(site, name) !== null) return null;
  const variable = secretVariable(name);
  if (existsSync(givenFile(site, name)))
    return `the secret "${name}" is not set: ${variable} was set when this stack was last updated. Set it again; or, to use another value, remove ${givenFile(site, name)}`;
  if (definition.secrets?.[name]?.generate === true || keptSecret(site, name) !== null) return null;
  const declared = Object.keys(definition.secrets ?? {});
  const near = declared.includes(name) ? "" : suggestion(name, declared);
  return `the secret "${name}" is not set${near}: set the environment variable ${variable}, or write it into ${secretFile(site, name)}; or, for everybody who works on the stack, encrypt it in the stack file: \`${setSecretCommand(site.project, name)}\``;
}

/** Generates missing secrets that may be generated. */
export function makeSecrets(site: Home & Pick<Site, "server">, definition: Secrets): void {
  for (const name of generatedSecrets(site, definition)) if (missing(site, definition, name) === null) secretOf(site, name);
}

/** Names of the secrets that may be generated. */
export function generatedSecrets(site: Pick<Site, "server">, definition: Secrets): string[] {
  const declared = Object.entries(definition.secrets ?? {}).flatMap(([name, { generate }]) => (generate === true ? [name] : []));
  return [...(site.server === undefined ? [] : OWN), ...declared];
}

/** Records which secrets came from the environment: without them the next update must not use others. */
export function rememberGiven(site: Home, names: Iterable<string>): void {
  for (const name of names) {
    if (givenSecret(site, name) === null) {
      rmSync(givenFile(site, name), { force: true });
      continue;
    }
    mkdirSync(givenFolder(site), { recursive: true, mode: 0o700 });
    writeFileSync(givenFile(site, name), `${secretVariable(name)}\n`, { mode: 0o600 });
  }
}

export function givenFolder(site: Home): string {
  return join(site.home, "given-secrets");
}

function givenFile(site: Home, name: string): string {
  return join(givenFolder(site), name);
}
