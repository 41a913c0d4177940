/** Which constraints a set of pins changes, in which order, and what that takes. */
import { describe, expect, test } from "vitest";
import { constraintOrder } from "../../config/constraint-plan.ts";
import { DefinitionUnknownError, keepDefinition, knownDefinition, type Keeper } from "../../rollout/constraint-record.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { planRollout } from "../../config/make-plan.ts";
import { rawConfig, editPins } from "../../config/edit.ts";
import { constraintEdits } from "../../config/constraints.ts";
import { parseConfig } from "../../config/parse.ts";
import type { Pins } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { scopeEdits } from "../../config/scope.ts";
import type { ConstraintState } from "../../config/system/constraint.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { loadSystem } from "../../config/load-system.ts";
import { readFileSync } from "node:fs";

const definition = await loadSystem("solar-panel");
const STACK = editPins(readFileSync(new URL("../../stacks/Pulumi.solar-panel.yaml", import.meta.url), "utf8"), [
  { path: ["release"], value: "v2.0.0" },
]);
const configOf = (text: string) => parseConfig(rawConfig(text));
const pinsOf = (constraints: unknown = {}, system: SystemDefinition = definition, text = STACK): Pins =>
  resolvePins(configOf(editPins(text, [{ path: ["constraints"], value: constraints }])), system);
const ENFORCED = Object.fromEntries(Object.keys(definition.constraints!).map((name): [string, ConstraintState] => [name, "enforced"]));

function plan(
  to: Pins,
  found: Record<string, ConstraintState> = ENFORCED,
  from: Pins = pinsOf(),
  scope: string | null = null,
): RolloutPlan {
  const applied = definition.databases["solar"]!.migrations.map(({ name }) => name);
  const facts = { exists: true, lineage: { snapshot: null, quarantine: null }, applied, failed: [], constraints: found };
  const snapshots = [{ database: "solar", name: "before-v2.0.0", generation: 1 }];
  return planRollout({
    definition,
    from,
    to,
    unfinished: false,
    order: ["v1.0.0", "v2.0.0"],
    scope: scope === null ? null : { name: scope },
    databases: { solar: facts },
    snapshots,
  });
}
const afterScope = (scope: string): Pins =>
  resolvePins(
    configOf(editPins(STACK, scopeEdits(definition, { scope, to: "v1.0.0", snapshots: { solar: "before-v2.0.0@1" }, block: null }))),
    definition,
  );

test.each([
  ["critical", ["workflow_progression", "station_progression"], ["before-drop"]],
  ["high", ["workflow_progression", "barcode_format", "electrical_data"], ["before-drop"]],
  ["medium", ["panel_type_line", "pallet_capacity"], []],
  ["low", ["email_format", "station_number"], []],
  ["full", Object.keys(ENFORCED), ["before-drop"]],
])(
  "scope %s drops its set in the recorded order, the line stopped and the data closed; HIGH risk has a snapshot first",
  (scope, names, take) => {
    const planned = plan(afterScope(scope), ENFORCED, pinsOf(), scope);
    expect(planned).toMatchObject({ scope, forward: false, stop: ["line"], fenceData: true, closeGate: true });
    expect(planned.constraints!.map(({ name, from, to }) => [name, from, to])).toEqual(names.map((name) => [name, "enforced", "dropped"]));
    expect(planned.take.map(({ name }) => name)).toEqual(take);
  },
);

test("bringing back stops nobody, and goes lowest risk first", () => {
  const dropped = Object.fromEntries(Object.keys(ENFORCED).map((name): [string, ConstraintState] => [name, "dropped"]));
  const planned = plan(pinsOf(), dropped, pinsOf(dropped));
  expect(planned).toMatchObject({ stop: [], fenceData: false, closeGate: false, take: [] });
  expect(planned.constraints!.map(({ name }) => name)).toEqual([
    "email_format",
    "station_number",
    "pallet_capacity",
    "panel_type_line",
    "mo_completion",
    "barcode_format",
    "electrical_data",
    "workflow_progression",
    "station_progression",
  ]);
  expect(constraintOrder(definition.constraints!, dropped)).toEqual(Object.keys(ENFORCED));
});

test("what the catalogue says counts, not the pins of before", () => {
  expect(plan(pinsOf(), { ...ENFORCED, email_format: "unvalidated" }).constraints).toMatchObject([
    { name: "email_format", from: "unvalidated", to: "enforced" },
  ]);
  expect(plan(afterScope("low"), { ...ENFORCED, email_format: "dropped" }).constraints!.map(({ name }) => name)).toEqual([
    "station_number",
  ]);
});

test("a release is a set of constraints; restore takes the set of the release it goes back to", () => {
  const restored = afterScope("restore");
  expect(restored.constraints).toEqual({ ...ENFORCED, station_progression: "dropped", mo_completion: "dropped" });
  expect(plan(restored, ENFORCED, pinsOf(), "restore")).toMatchObject({ scope: "restore", constraints: [], fenceData: true });
  expect(pinsOf().constraints).toEqual(ENFORCED);
});

describe("a pin that cannot be meant names key, value and what is allowed", () => {
  test.each<[unknown, RegExp]>([
    [
      { barcode_fromat: "dropped" },
      /backout:constraints\.barcode_fromat: "dropped" is not allowed: .*only workflow_progression.*did you mean `barcode_format`/,
    ],
    [
      { barcode_format: "disabled" },
      /backout:constraints\.barcode_format: "disabled" is not allowed: must be `enforced` or `unvalidated` or `dropped`/,
    ],
  ])("%j", (constraints, message) => {
    expect(() => pinsOf(constraints)).toThrow(message);
  });

  test("keys cannot be unvalidated; SQLite has no constraints that can be dropped", () => {
    const { barcode_format } = definition.constraints!;
    const unique = { ...definition, constraints: { barcode_format: { ...barcode_format!, kind: "unique" as const } } };
    const plain = STACK.replace(/ {6}constraints:\n(?: {8}.*\n)+/, "");
    expect(() => pinsOf({ barcode_format: "unvalidated" }, unique, plain)).toThrow(
      /"unvalidated" is not allowed: must be `enforced` or `dropped`: .*UNIQUE/,
    );
    const sqlite = { ...definition, databases: { solar: { ...definition.databases["solar"]!, engine: "sqlite" as const } } };
    expect(() => pinsOf({ barcode_format: "dropped" }, sqlite, plain)).toThrow(
      /solar is a SQLite database, whose constraints cannot be dropped/,
    );
  });
});

test("an edit that says what the release says anyway takes the pin out", () => {
  const dropped = editPins(STACK, [{ path: ["constraints"], value: { email_format: "dropped" } }]);
  expect(editPins(dropped, constraintEdits(configOf(dropped), { email_format: { state: "enforced" } }))).toBe(STACK);
});

test("every definition that was seen is kept; the newest counts, a pinned one before it", async () => {
  const kept = new Map<string, unknown>();
  const state: Keeper = {
    keepFirst: async <T>(key: string, value: T) => (kept.has(key) || kept.set(key, value), Promise.resolve(kept.get(key) as T)),
    kept: async <T>(key: string) => Promise.resolve((kept.get(key) as T | undefined) ?? null),
  };
  const constraint = definition.constraints!["email_format"]!;
  const saved = (text: string) => ({ kind: "check" as const, definition: text, functions: [], enums: [] });
  expect(await knownDefinition(state, "email_format", constraint)).toBeNull();
  expect(new DefinitionUnknownError("email_format", "users").message).toMatch(/never seen in this database/);
  expect(await keepDefinition(state, "email_format", constraint, saved("CHECK (1)"))).toBe(true);
  expect(await keepDefinition(state, "email_format", constraint, saved("CHECK (1)"))).toBe(false);
  expect(await keepDefinition(state, "email_format", constraint, saved("CHECK (2)"))).toBe(true);
  expect(await knownDefinition(state, "email_format", constraint)).toEqual(saved("CHECK (2)"));
  expect(kept.size).toBe(2);
  expect(await knownDefinition(state, "email_format", constraint, "CHECK (3)")).toEqual(saved("CHECK (3)"));
});
