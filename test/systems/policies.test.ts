/** Each system's policy against what its manual says, read a second time. */
import { describe, expect, test } from "vitest";
import type { PolicyDefinition } from "../../config/system/policy.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import type { ExpectedPolicy } from "./policies/expected.ts";

const systems = await Promise.all(
  systemNames().map(async (name) => ({
    name,
    definition: await loadSystem(name),
    policy: (await loadSystem(name)).policy as PolicyDefinition,
    expected: ((await import(`./policies/${name}.ts`)) as { expected: ExpectedPolicy }).expected,
  })),
);

const text = (value: unknown): string => JSON.stringify(value);
/** What is expected and not there. */
const missing = <T>(expected: readonly T[], there: (each: T) => boolean): string[] =>
  expected
    .filter((each) => !there(each))
    .map((each) => JSON.stringify(each, (_key, value: unknown) => (value instanceof RegExp ? String(value) : value)));
const includes = (all: readonly string[] | undefined, some: readonly string[] | undefined): boolean =>
  (some ?? []).every((one) => all?.some((each) => each.toLowerCase() === one.toLowerCase()) === true);

describe.each(systems)("policy of $name", ({ definition, policy, expected }) => {
  const classes = Object.values(policy.classes);

  test("classes, most severe first, with deadlines and risks", () => {
    expect(classes.map(({ deadlineMinutes }) => deadlineMinutes)).toEqual(expected.deadlines);
    for (const [index, risk] of (expected.risks ?? []).entries()) expect(classes[index]?.risk).toMatch(risk);
  });

  test("times of scopes and watches", () => {
    const { scopes, watches = {} } = definition;
    for (const [scope, minutes] of Object.entries(expected.scopes)) expect((scopes[scope]?.budgetSeconds ?? 0) / 60, scope).toBe(minutes);
    for (const [watch, minutes] of Object.entries(expected.watches)) expect(watches[watch]?.durationMinutes, watch).toBe(minutes);
  });

  test("triggers with thresholds and how long they last", () => {
    const lacking = missing(expected.triggers, ({ of, words, metric, forMinutes }) =>
      (classes[of]?.triggers ?? []).some(
        (trigger) =>
          words.test(`${trigger.id} ${trigger.title}`.toLowerCase()) &&
          trigger.forMinutes === forMinutes &&
          Object.entries(metric ?? {}).every(([key, value]) => (trigger.metric as Record<string, unknown> | undefined)?.[key] === value),
      ),
    );
    expect(lacking).toEqual([]);
  });

  test("who decides, together or alone, who stands in and who is told", () => {
    const found = Object.values(policy.authorisations);
    const lacking = missing(expected.authorisations, ({ approvers, agree, notify, standIns }) =>
      found.some(
        (one) =>
          one.approvers.length === approvers.length &&
          includes(one.approvers, approvers) &&
          (agree === undefined || one.agree === agree) &&
          includes(one.notify, notify) &&
          includes(Object.values(one.standIns ?? {}).flat(), standIns),
      ),
    );
    expect(lacking).toEqual([]);
    const known = Object.keys(policy.authorisations);
    const named = [
      policy.defaultAuthorisation,
      ...classes.flatMap((one) => [one.authorisation, ...one.triggers.map((trigger) => trigger.authorisation)]),
    ];
    expect(named.filter((name) => name !== undefined && !known.includes(name))).toEqual([]);
  });

  test("escalation and roles", () => {
    const lacking = missing(expected.escalation, ([role, afterMinutes]) =>
      policy.escalation.some((one) => role.test(one.role) && one.afterMinutes === afterMinutes),
    );
    expect(lacking).toEqual([]);
    expect(missing(expected.roles, (role) => policy.roles.some((one) => one.includes(role)))).toEqual([]);
  });

  test("messages word for word, by moment and channel", () => {
    const lacking = missing(expected.messages, ({ channel, text: exactly, words, when, everyMinutes, fields, to }) =>
      policy.notifications.some(
        (one) =>
          one.channel === channel &&
          (exactly === undefined || one.text === exactly) &&
          (words ?? []).every((word) => word.test(one.text)) &&
          (when === undefined || one.when === when) &&
          one.everyMinutes === everyMinutes &&
          includes(one.fields, fields) &&
          includes(one.to, to),
      ),
    );
    expect(lacking).toEqual([]);
  });

  test("records with their fields and when they are due", () => {
    const records = Object.values(policy.records);
    const lacking = missing(expected.records, ({ words, withinHours, file }) =>
      records.some(
        (one) =>
          words.every((word) => new RegExp(word, "i").test(text(one))) &&
          (withinHours === undefined || one.withinHours === withinHours) &&
          (file === undefined || file.test(one.file ?? "")),
      ),
    );
    expect(lacking).toEqual([]);
  });

  test("rehearsals", () => {
    const lacking = missing(expected.drills, ({ everyDays, hoursBeforeDeployment, soakMinutes, words }) =>
      policy.drills.some(
        (one) =>
          (everyDays === "any" || one.everyDays === everyDays) &&
          (hoursBeforeDeployment === undefined || one.hoursBeforeDeployment === hoursBeforeDeployment) &&
          (soakMinutes === undefined || one.soakMinutes === soakMinutes) &&
          (words ?? []).every((word) => word.test(text(one))),
      ),
    );
    expect(lacking).toEqual([]);
  });

  test("targets, order, risks and the rest", () => {
    const targets = Object.entries(policy.targets).map(([name, value]) => `${name}: ${value}`);
    expect(missing(expected.targets, (target) => targets.some((line) => target.test(line)))).toEqual([]);
    let at = -1;
    for (const step of expected.order ?? []) {
      const next = (policy.order ?? []).findIndex((line, index) => index > at && step.test(line));
      expect(next, `${String(step)} after step ${at}`).toBeGreaterThan(at);
      at = next;
    }
    const matrix = missing(expected.matrix ?? [], ({ subject, levels, mitigation }) =>
      (policy.risks ?? []).some(
        (risk) =>
          subject.test(risk.subject) &&
          includes([risk.rollback, risk.recovery ?? "", risk.impact ?? ""], levels) &&
          text([risk.rollback, risk.recovery, risk.impact].map((level) => level?.toUpperCase())) === text(levels) &&
          mitigation.every((words) => words.test(risk.mitigation.join(" "))),
      ),
    );
    expect(matrix).toEqual([]);
    expect(missing(expected.words ?? [], (words) => words.test(text(policy)))).toEqual([]);
  });
});
