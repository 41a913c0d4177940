/**
 * Configuration of services that is encrypted in the stack file. The pins, and so state and records, hold references with a salted hash;
 * the values are part of the site, which is a secret as a whole, and are used where a service is started.
 */
import { commandOf, setSecretCommand } from "./commands.ts";
import { ConfigError, ConfigErrors, NAMESPACE } from "./errors.ts";
import type { Pins } from "./pins.ts";
import { seal } from "./seal.ts";
import { CONFIG_KEYS } from "./schema.ts";
import type { Site } from "./site.ts";

const REFERENCE = /^secret:[0-9a-f]{16}$/;

/** Keys whose configuration values may be encrypted; which ones is unknown, so all count as secret. */
const OF_CONFIGURATION = ["services", "releases"];
const ALLOWED = [...OF_CONFIGURATION, "server", "serverPassword", "secrets", "storeKey"];

/** Whether a recorded value of a configuration is a reference. */
export function isReference(value: string | undefined): boolean {
  return value !== undefined && REFERENCE.test(value);
}

/** Only a reference to the value was recorded, never the value. */
export class SecretConfigUnknownError extends Error {
  readonly key: string;
  constructor(key: string) {
    super(
      `the value of the configuration ${key} was a secret and is not stored: set it again with the engine's \`config set --secret --path\``,
    );
    this.name = "SecretConfigUnknownError";
    this.key = key;
  }
}

/** Keys of the stack's configuration, without namespace, that hold something encrypted. */
export function secretKeys(isSecret: (fullKey: string) => boolean): string[] {
  return CONFIG_KEYS.filter((key) => isSecret(`${NAMESPACE}:${key}`));
}

/** @throws ConfigErrors for encrypted keys that would be shown or recorded in plain text */
export function requireNoOtherSecrets(keys: string[]): void {
  const wrong = keys.filter((key) => !ALLOWED.includes(key));
  if (wrong.length === 0) return;
  throw new ConfigErrors(
    wrong.map(
      (key) =>
        new ConfigError(
          `${NAMESPACE}:${key}`,
          "(a secret)",
          `it is shown and recorded in plain text: set it without --secret. Only values of a service's configuration may be secret, ${NAMESPACE}:secrets, ${NAMESPACE}:serverPassword and ${NAMESPACE}:storeKey`,
        ),
    ),
  );
}

/**
 * @param names of secrets of the definition that the stack file has in plain text
 * @param project folder of Pulumi.yaml
 * @throws ConfigErrors if there is one
 */
export function requireEncrypted(names: readonly string[], project: string): void {
  if (names.length === 0) return;
  throw new ConfigErrors(
    names.map(
      (name) =>
        new ConfigError(
          `${NAMESPACE}:secrets.${name}`,
          "(not shown)",
          `it is in plain text: encrypt it with \`${setSecretCommand(project, name)}\``,
        ),
    ),
  );
}

/** @throws ConfigErrors if the access key of the store is in plain text */
export function requireEncryptedKey(declared: boolean, secret: readonly string[], project: string): void {
  if (!declared || secret.includes("storeKey")) return;
  const set = commandOf(project, "pulumi", `config set --secret --path ${NAMESPACE}:storeKey.secretAccessKey`);
  throw new ConfigErrors([new ConfigError(`${NAMESPACE}:storeKey`, "(not shown)", `it is in plain text: encrypt it with \`${set}\``)]);
}

/** Pins with references instead of configuration values, and the site with the values, if some are secret. */
export function hideSecretConfig(pins: Pins, site: Site, keys: string[]): { pins: Pins; site: Site } {
  if (!keys.some((key) => OF_CONFIGURATION.includes(key))) return { pins, site };
  const secretConfig: Record<string, string> = {};
  const hide = (config: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(config).map(([key, value]) => {
        const reference = referenceTo(site, key, value);
        secretConfig[reference] = value;
        return [key, reference];
      }),
    );
  const services = Object.fromEntries(
    Object.entries(pins.services).map(([name, { config, artefact, ...pin }]) => [
      name,
      { ...pin, config: hide(config), artefact: artefact.config === undefined ? artefact : { ...artefact, config: hide(artefact.config) } },
    ]),
  );
  return { pins: { ...pins, services }, site: { ...site, secretConfig } };
}

/** A configuration with values instead of references. @throws SecretConfigUnknownError */
export function plainConfig(site: Pick<Site, "secretConfig">, config: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (!REFERENCE.test(value)) return [key, value];
      const plain = site.secretConfig?.[value];
      if (plain === undefined) throw new SecretConfigUnknownError(key);
      return [key, plain];
    }),
  );
}

/** The declared value of a reference; null: not declared now. Any other value is returned as it is. */
export function revealed(
  site: Pick<Site, "home">,
  key: string,
  value: string,
  among: readonly Readonly<Record<string, string | null>>[],
): string | null {
  if (!REFERENCE.test(value)) return value;
  const fits = (known: string | null | undefined): known is string => known != null && value === referenceTo(site, key, known);
  return among.map((config) => config[key]).find(fits) ?? null;
}

function referenceTo(site: Pick<Site, "home">, key: string, value: string): string {
  return `secret:${seal(site, `${key}=${value}`)}`;
}

/** Requires that no reference is written into a stack file. @throws SecretConfigUnknownError */
export function requireNoReference(path: readonly string[], value: unknown): void {
  if (typeof value === "string" && REFERENCE.test(value)) throw new SecretConfigUnknownError(path.join("."));
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) requireNoReference([...path, key], inner);
}
