/** Rules for scopes: their pins and checks exist, and their phases fit into their budget. */
import { described } from "../parse.ts";
import { PHASES } from "../phases.ts";
import type { ScopeDefinition, SystemDefinition } from "../system/definition.ts";
import { among, once, sum, UNDER, type Fail } from "./rule.ts";
import { pinsSchema } from "./schema.ts";

export function wrongScopes(system: SystemDefinition, fail: Fail): void {
  const isScope = among(fail, "scope", Object.keys(system.scopes));
  isScope("defaultScope", system.defaultScope);
  isScope("partialMigrationScope", system.partialMigrationScope);
  for (const [scope, definition] of Object.entries(system.scopes)) {
    const path = `scopes.${scope}`;
    wrongTimes(path, definition, fail);
    wrongChecks(system, path, definition, fail);
    wrongPins(system, path, definition, fail);
  }
}

function wrongTimes(path: string, { phaseBudgets, budgetSeconds }: ScopeDefinition, fail: Fail): void {
  for (const phase of Object.keys(phaseBudgets)) among(fail, "phase", PHASES)(`${path}.phaseBudgets`, phase);
  const phases = sum(Object.values(phaseBudgets));
  // Seconds of a phase may be fractions, and their sum a little off.
  if (phases > budgetSeconds + 1e-6)
    fail(`${path}.budgetSeconds`, budgetSeconds, `its phases take ${phases} s together: raise it, or lower the budget of a phase`);
}

function wrongChecks({ checks }: SystemDefinition, path: string, scope: ScopeDefinition, fail: Fail): void {
  const isCheck = among(
    fail,
    "check",
    checks.map(({ id }) => id),
  );
  scope.checks.forEach((check, index) => isCheck(`${path}.checks.${index}`, check));
  once(fail, scope.checks, (index) => `${path}.checks.${index}`);
}

function wrongPins(system: SystemDefinition, path: string, { pins }: ScopeDefinition, fail: Fail): void {
  const parsed = pinsSchema.safeParse(pins);
  if (!parsed.success) {
    const looked = { schema: pinsSchema, values: pins, under: `${UNDER}${path}.pins.` };
    for (const { key, value, allowed } of described(parsed.error.issues, looked)) fail(key.slice(UNDER.length), value, allowed);
    return;
  }
  const isService = among(fail, "service", Object.keys(system.services));
  for (const service of Object.keys(pins.services ?? {})) isService(`${path}.pins.services`, service);
  among(fail, "watch", Object.keys(system.watches ?? {}))(`${path}.pins.freeze.until`, pins.freeze?.until);
  if (typeof pins.constraints === "object")
    for (const constraint of Object.keys(pins.constraints))
      among(fail, "constraint", Object.keys(system.constraints ?? {}))(`${path}.pins.constraints`, constraint);
  if (pins.flags !== undefined && system.flags === undefined)
    fail(`${path}.pins.flags`, Object.keys(pins.flags), "the definition does not say where flags are stored: add `flags`");
  const repairs = ["rows", ...Object.values(system.databases).flatMap((database) => Object.keys(database.repairs ?? {}))];
  if (typeof pins.data === "object") among(fail, "repair", repairs)(`${path}.pins.data.repair`, pins.data.repair);
}
