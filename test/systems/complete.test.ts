/** What holds of every system: its definition is whole, and every name in it is the name of something. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PHASES } from "../../config/phases.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { pollCount } from "../../rollout/verification/watch-rule.ts";

const systems = await Promise.all(systemNames().map(loadSystem));

/** Names that are used and stand for nothing. */
const strangers = (used: readonly (string | undefined)[], known: readonly string[]): string[] =>
  used.filter((name): name is string => name !== undefined && !known.includes(name));
const namesOf = (of: object | undefined): string[] => Object.keys(of ?? {});

describe.each(systems)("$name", (system: SystemDefinition) => {
  const services = namesOf(system.services);
  const databases = namesOf(system.databases);
  const scopes = namesOf(system.scopes);
  const checks = system.checks.map(({ id }) => id);
  const watches = Object.entries(system.watches ?? {});
  const { policy, drill } = system;

  test("services, listeners, databases and effects name each other", () => {
    for (const [name, { kind, entry, databases: own }] of Object.entries(system.services)) {
      expect(strangers(own, databases), name).toEqual([]);
      expect(entry === undefined, name).toBe(kind === "static");
    }
    expect(strangers(system.stopOrder, services)).toEqual([]);
    for (const [name, { service, routes }] of Object.entries(system.listeners))
      expect(strangers([service, ...Object.values(routes ?? {})], services), name).toEqual([]);
    expect(strangers([system.flags?.database, ...system.effects.map(({ database }) => database)], databases)).toEqual([]);
    expect(
      strangers(
        system.effects.map(({ service }) => service),
        services,
      ),
    ).toEqual([]);
    for (const { migrations } of Object.values(system.databases)) {
      expect(new Set(migrations.map(({ name }) => name)).size).toBe(migrations.length);
      for (const { path } of migrations) expect(existsSync(join(system.folder, path)), path).toBe(true);
    }
  });

  test("scopes name checks, services, flags and watches that exist; phases fit into the budget", () => {
    expect(scopes).toContain(system.defaultScope);
    for (const [name, { checks: own, pins, phaseBudgets, budgetSeconds, title, useWhen }] of Object.entries(system.scopes)) {
      expect(own.length, name).toBeGreaterThan(0);
      expect(new Set(own).size, name).toBe(own.length);
      expect(strangers(own, checks), name).toEqual([]);
      expect(strangers(namesOf(pins.services), services), name).toEqual([]);
      expect(strangers(namesOf(phaseBudgets), PHASES), name).toEqual([]);
      expect(strangers([pins.freeze?.until], namesOf(system.watches)), name).toEqual([]);
      if (namesOf(pins.flags).length > 0) expect(system.flags, name).toBeDefined();
      const sum = Object.values(phaseBudgets).reduce((total, seconds) => total + seconds, 0);
      expect(sum, name).toBeLessThanOrEqual(budgetSeconds);
      expect(
        [title, useWhen].every((text) => text.length > 0),
        name,
      ).toBe(true);
    }
  });

  test("checks have ids of their own, and every one belongs to a scope or a watch", () => {
    expect(new Set(checks).size).toBe(checks.length);
    const used = [...Object.values(system.scopes), ...watches.map(([, watch]) => watch)].flatMap((each) => each.checks);
    expect(strangers(checks, used)).toEqual([]);
  });

  test("every scope is watched afterwards, by checks that write nothing", () => {
    const after = watches.flatMap(([, watch]) => watch.after);
    // While users are kept out there is nothing to watch yet.
    const serving = scopes.filter((scope) => system.scopes[scope]?.pins.maintenance?.mode !== "full");
    expect(strangers(serving, after)).toEqual([]);
    expect(strangers(after, [...scopes, "deploy"])).toEqual([]);
    const writing = system.checks.filter(({ writes }) => writes === true).map(({ id }) => id);
    for (const [id, watch] of watches) {
      expect(watch.checks.length, id).toBeGreaterThan(0);
      expect(strangers(watch.checks, checks), id).toEqual([]);
      expect(
        watch.checks.filter((check) => writing.includes(check)),
        id,
      ).toEqual([]);
      expect(watch.pass.healthyShare, id).toBeGreaterThan(0);
      expect(watch.pass.healthyShare, id).toBeLessThanOrEqual(1);
      expect(pollCount(watch), id).toBeGreaterThan(1);
      for (const { title, figure, below } of watch.pass.limits)
        expect([title.length > 0, figure.length > 0, Number.isFinite(below)], id).toEqual([true, true, true]);
    }
  });

  test("a watch that follows another can come to its turn", () => {
    for (const [id, { follows, after }] of watches) {
      if (follows === undefined) continue;
      expect(namesOf(system.watches), id).toContain(follows);
      // One that is not due after the same scopes would not be waited for.
      expect(strangers(after, system.watches![follows]!.after), id).toEqual([]);
      const chain = new Set([id]);
      for (let before: string | undefined = follows; before !== undefined; before = system.watches![before]!.follows) {
        expect(chain.has(before), `${id} follows itself`).toBe(false);
        chain.add(before);
      }
    }
  });

  test("steps after success wait for a rollback and its watch, and keep what they take away", () => {
    for (const [id, action] of Object.entries(system.actions ?? {})) {
      expect(action.after.length, id).toBeGreaterThan(0);
      expect(strangers(action.after, scopes), id).toEqual([]);
      expect(strangers(action.watches, namesOf(system.watches)), id).toEqual([]);
      for (const scope of action.after)
        expect(
          action.watches.some((watch) => system.watches![watch]!.after.includes(scope)),
          `${id}: no watch after ${scope}`,
        ).toBe(true);
      expect(databases, id).toContain(action.database);
      if (action.migration !== undefined)
        expect(
          system.databases[action.database]!.migrations.map(({ name }) => name),
          id,
        ).toContain(action.migration);
      if (action.work === "drop") expect(action.keeps.length, id).toBeGreaterThan(0);
    }
  });

  test("every fault has a scope that exists, and a drill can play it", () => {
    expect(namesOf(drill.faults)).toContain(drill.defaultFault);
    for (const [name, { scope, service }] of Object.entries(drill.faults)) {
      expect(scopes, name).toContain(scope);
      if (system.scopes[scope]!.pins.service !== undefined) expect(services, name).toContain(service);
    }
    expect(namesOf(system.listeners)).toContain(drill.witness.service);
    expect(Object.values(system.databases).flatMap(({ tables }) => tables)).toContain(drill.witness.table);
    for (const [name, { entry }] of Object.entries(drill.standIns)) expect(existsSync(join(system.folder, entry)), name).toBe(true);
    for (const release of [drill.from, drill.to])
      for (const [name, { entry }] of Object.entries(system.services)) {
        const folder = join(system.folder, "releases", release, name);
        expect(existsSync(entry === undefined ? folder : join(folder, entry)), `${release} ${name}`).toBe(true);
      }
  });

  test("the policy: every class that rolls back has a scope, whoever decides and is told is named", () => {
    expect(policy).toBeDefined();
    const { classes, authorisations, notifications, roles, escalation } = policy!;
    expect(namesOf(classes).length).toBeGreaterThan(0);
    const triggers = Object.values(classes).flatMap((one) => one.triggers);
    expect(new Set(triggers.map(({ id }) => id)).size).toBe(triggers.length);
    for (const [name, { scope, deadlineMinutes, triggers: own }] of Object.entries(classes)) {
      expect(own.length, name).toBeGreaterThan(0);
      if (deadlineMinutes !== null) expect(scope, `${name} has a deadline and no scope`).not.toBeNull();
      expect(strangers([scope ?? undefined, ...own.map((trigger) => trigger.scope)], scopes), name).toEqual([]);
    }
    const named = [
      policy!.defaultAuthorisation,
      ...Object.values(classes).map(({ authorisation }) => authorisation),
      ...triggers.map(({ authorisation }) => authorisation),
    ];
    expect(strangers(named, namesOf(authorisations))).toEqual([]);
    for (const [name, { approvers, standIns }] of Object.entries(authorisations)) {
      expect(approvers.length, name).toBeGreaterThan(0);
      expect(strangers(namesOf(standIns), approvers), name).toEqual([]);
    }
    if (policy!.otherwise !== undefined) expect(namesOf(classes)).toContain(policy!.otherwise);
    for (const { scopes: own, text } of notifications) {
      expect(strangers(own ?? [], scopes), text).toEqual([]);
      expect(text).not.toBe("");
    }
    expect(roles.length).toBeGreaterThan(0);
    const times = escalation.map(({ afterMinutes }) => afterMinutes);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const [name, { sections, withinHours, due }] of Object.entries(policy!.records)) {
      expect(namesOf(sections).length, name).toBeGreaterThan(0);
      expect(withinHours !== null || due !== undefined, `${name} is never due`).toBe(true);
    }
    expect(namesOf(policy!.targets).length).toBeGreaterThan(0);
  });
});

test("at most 30 drills of all systems together", () => {
  expect(systems.flatMap(({ drill }) => namesOf(drill.faults)).length).toBeLessThanOrEqual(30);
});
