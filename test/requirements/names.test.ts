/** docs/requirements.yaml by itself: its names stand for tests, checks and data that exist. Whether they show anything is test/requirements.test.ts. */
import { beforeAll, describe, expect, test } from "vitest";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { drillSources, listTests, matcher, standsInConditionalFile, valueAt, whyUnknown } from "./names.ts";
import { dataPaths, drillEvidence, duplicates, PROJECT, readRequirements, testsOf } from "./requirements.ts";

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
  const unknown = requirements.flatMap(({ id, shown_by }) =>
    shown_by.flatMap((evidence) => {
      const drill = drillEvidence(evidence);
      const why = drill === null ? null : whyUnknown(drill, systems, sources);
      return why === null ? [] : [`${id}: ${why}`];
    }),
  );
  expect(unknown).toEqual([]);
});

describe("what is pending", () => {
  const pending = requirements.filter((requirement) => requirement.pending !== undefined);

  test("has its data in the definition", () => {
    const nowhere = pending.flatMap((requirement) =>
      dataPaths(requirement)
        .filter((path) => {
          const [system, within] = path.includes("/") ? (path.split("/", 2) as [string, string]) : [requirement.id.split(".")[0]!, path];
          const definition = systems[system];
          return definition === undefined || valueAt(definition, within) === undefined;
        })
        .map((path) => `${requirement.id}: nothing at ${path}`),
    );
    expect(nowhere).toEqual([]);
  });

  test("is not shown by anything else: then it is no longer pending", () => {
    expect(pending.filter(({ shown_by }) => shown_by.length > 0).map(({ id }) => id)).toEqual([]);
  });
});
