/** docs/requirements.yaml by itself: its names stand for tests, checks and data that exist. Whether they show anything is test/requirements.test.ts. */
import { beforeAll, expect, test } from "vitest";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { drillSources, isRecorded, listTests, matcher, standsInConditionalFile, whyUnknown } from "./names.ts";
import { dataPaths, drillEvidence, duplicates, evidenceOf, PROJECT, readRequirements, testsOf } from "./requirements.ts";

const requirements = readRequirements();
const systems: Record<string, SystemDefinition> = {};
beforeAll(async () => {
  for (const name of systemNames()) systems[name] = await loadSystem(name);
});

test("no id stands there twice", () => {
  expect(duplicates(requirements)).toEqual([]);
});

test("every system has requirements of all its sections", () => {
  for (const name of systemNames()) {
    const sections = new Set(requirements.filter(({ id }) => id.startsWith(`${name}.`)).map(({ id }) => id.split(".")[1]));
    expect([...sections].sort(), name).toEqual(["b", "c", "d", "e", "f", "g", "gap", "h", "i", "j"]);
  }
});

test("every test that is named exists", { timeout: 180_000 }, () => {
  const listed = listTests(PROJECT);
  expect(listed.size).toBeGreaterThan(100);
  const exists = matcher(listed);
  const unknown = requirements.flatMap((requirement) =>
    testsOf(requirement)
      .filter((name) => !exists(name) && !standsInConditionalFile(PROJECT, name))
      .map((name) => `${requirement.id}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("a placeholder stands for anything, everything else for itself", () => {
  const exists = matcher(new Set(["a.test.ts > adds %s (once)", "a.test.ts > ${victim} killed at $point.name"]));
  expect(exists("a.test.ts > adds one (once)")).toBe(true);
  expect(exists("a.test.ts > adds one (twice)")).toBe(false);
  expect(exists("a.test.ts > engine killed at data.before")).toBe(true);
  expect(exists("a.test.ts > engine died")).toBe(false);
});

test("every check, fault, scope and phase that is named is one of its system's drills", () => {
  const sources = drillSources(PROJECT);
  const unknown = requirements.flatMap((requirement) =>
    evidenceOf(requirement).flatMap((evidence) => {
      const drill = drillEvidence(evidence);
      const why = drill === null ? null : whyUnknown(drill, systems, sources);
      return why === null ? [] : [`${requirement.id}: ${why}`];
    }),
  );
  expect(unknown).toEqual([]);
});

test("what is recorded as data stands in the definition", () => {
  const nowhere = requirements.flatMap((requirement) =>
    dataPaths(requirement)
      .filter(({ system, path }) => !isRecorded(systems[system], path))
      .map(({ system, path }) => `${requirement.id}: nothing at ${path} of ${system}`),
  );
  expect(nowhere).toEqual([]);
});

test("a path leads through lists by what an item is or says, and what is empty is nothing", () => {
  const definition = { a: { list: ["one", { id: "two", minutes: 0, none: null, empty: {} }] } } as unknown as SystemDefinition;
  const recorded = ["a", "a.list", "a.list.one", "a.list.two", "a.list.two.minutes"];
  const not = ["b", "a.list.three", "a.list.two.none", "a.list.two.empty", "a.list.0", "a.list.one.two"];
  expect([...recorded, ...not].filter((path) => isRecorded(definition, path))).toEqual(recorded);
  expect(isRecorded(undefined, "a")).toBe(false);
});
