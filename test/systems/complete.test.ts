/** What each of the five systems has besides a definition that is right: see test/config/definition.test.ts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import type { DrilledSystem } from "../../config/system/definition.ts";

const systems = await Promise.all(systemNames().map(loadSystem));
const namesOf = (of: object | undefined): string[] => Object.keys(of ?? {});

describe.each(systems)("$name", (system: DrilledSystem) => {
  const { scopes, checks, drill } = system;
  const watches = Object.values(system.watches ?? {});

  test("every scope verifies something and says when it is the one to use; every check belongs to a scope or a watch", () => {
    for (const [name, scope] of Object.entries(scopes)) {
      expect(scope.checks, name).not.toEqual([]);
      expect([scope.title, scope.useWhen], name).not.toContain("");
    }
    const used = [...Object.values(scopes), ...watches].flatMap((each) => each.checks);
    expect(checks.map(({ id }) => id).filter((id) => !used.includes(id))).toEqual([]);
  });

  test("every scope that lets users in is watched afterwards, more than once", () => {
    const serving = namesOf(scopes).filter((scope) => scopes[scope]!.pins.maintenance?.mode !== "full");
    const watched = watches.flatMap(({ after }) => after);
    expect(serving.filter((scope) => !watched.includes(scope))).toEqual([]);
    expect(watches.filter(({ durationMinutes, intervalSeconds }) => durationMinutes * 60 < 2 * intervalSeconds)).toEqual([]);
  });

  test("a drill has a table to write to, and both releases have every service", () => {
    expect(Object.values(system.databases).flatMap(({ tables }) => tables)).toContain(drill.witness.table);
    for (const release of [drill.from, drill.to])
      for (const [name, { entry = "" }] of Object.entries(system.services))
        expect(existsSync(join(system.folder, "releases", release, name, entry)), `${release} ${name}`).toBe(true);
  });

  test("the policy decides, rehearses and writes something down", () => {
    const { classes, authorisations, notifications, drills, records, roles } = system.policy!;
    for (const part of [classes, authorisations, notifications, drills, records, roles]) expect(namesOf(part)).not.toEqual([]);
  });
});

test("at most 30 drills of all systems together", () => {
  expect(systems.flatMap(({ drill }) => namesOf(drill.faults)).length).toBeLessThanOrEqual(30);
});
