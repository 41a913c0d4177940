/** Secrets of a system, as data. */

export interface SecretDefinition {
  /**
   * Where nobody gives one, it is made at random once per stack and kept: right for a password only the system itself knows, wrong for a key
   * that somebody else has to accept. Absent: it must be given.
   */
  generate?: true;
}

/** Secrets of these names, each made where nobody gives it. */
export function generated(names: readonly string[]): Record<string, SecretDefinition> {
  return Object.fromEntries(names.map((name) => [name, { generate: true as const }]));
}
