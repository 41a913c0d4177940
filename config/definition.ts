/** Validates a system's definition when it is loaded: every verb and every update finds mistakes before anything stops. */
import { withFileChecks } from "./checks/load.ts";
import { wrongDrill } from "./definition/drill.ts";
import { wrongPolicy } from "./definition/policy.ts";
import { wrongCompletion, wrongEvidence, wrongProtections } from "./definition/records.ts";
import { collect, UNDER, type Fail } from "./definition/rule.ts";
import { definitionSchema } from "./definition/schema.ts";
import { wrongScopes } from "./definition/scopes.ts";
import { withMigrations } from "./definition/migrations.ts";
import { wrongDatabases, wrongListeners, wrongPorts, wrongReferences, wrongServices } from "./definition/services.ts";
import { wrongTraffic } from "./definition/traffic.ts";
import { wrongActions, wrongChecks, wrongWatches } from "./definition/verification.ts";
import { ConfigErrors } from "./errors.ts";
import { described } from "./parse.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** Every rule for a definition whose form is right. */
const RULES: readonly ((system: SystemDefinition, fail: Fail) => void)[] = [
  wrongServices,
  wrongListeners,
  wrongPorts,
  wrongTraffic,
  wrongDatabases,
  wrongReferences,
  wrongScopes,
  wrongChecks,
  wrongWatches,
  wrongActions,
  wrongProtections,
  wrongEvidence,
  wrongCompletion,
  wrongPolicy,
  wrongDrill,
];

/** Definitions that are valid, by what was given. */
const valid = new WeakMap<object, SystemDefinition>();

/**
 * The definition with the checks of its folder.
 * @throws ConfigErrors naming each path, its value, what is allowed and the fix.
 */
export function checkDefinition(given: unknown): SystemDefinition {
  if (typeof given === "object" && given !== null && valid.has(given)) return valid.get(given)!;
  let normal: unknown;
  const unread = collect((fail) => (normal = withMigrations(given, fail)));
  if (unread.length > 0) throw new ConfigErrors(unread);
  const parsed = definitionSchema.safeParse(normal);
  if (!parsed.success) throw new ConfigErrors(described(parsed.error.issues, { schema: definitionSchema, values: normal, under: UNDER }));
  const system = withFileChecks(normal as SystemDefinition);
  const errors = collect((fail) => RULES.forEach((rule) => rule(system, fail)));
  if (errors.length > 0) throw new ConfigErrors(errors);
  for (const known of [given, normal, system]) valid.set(known as object, system);
  return system;
}
