/** Rules for the policy: names exist, times fit each other, placeholders have values. */
import type { SystemDefinition } from "../system/definition.ts";
import { BEFORE_DEPLOYMENT } from "../system/deployment.ts";
import { MESSAGE_PLACEHOLDERS, type PolicyDefinition, type RecordTemplate, type TriggerClass } from "../system/policy.ts";
import { among, filledIn, once, type Fail } from "./rule.ts";

export function wrongPolicy(system: SystemDefinition, fail: Fail): void {
  const { policy, scopes, deployment } = system;
  if (policy === undefined) return;
  for (const [name, definition] of Object.entries(policy.classes)) wrongClass(system, policy, { name, ...definition }, fail);
  wrongTriggerIds(policy, fail);
  wrongSeverity(policy, fail);
  among(fail, "class", Object.keys(policy.classes))("policy.otherwise", policy.otherwise);
  among(fail, "authorisation", Object.keys(policy.authorisations))("policy.defaultAuthorisation", policy.defaultAuthorisation);
  wrongAuthorisations(policy, fail);
  wrongEscalation(policy, fail);
  wrongNotifications(policy, Object.keys(scopes), fail);
  if (deployment?.before.includes("notification") && !policy.notifications.some(({ when }) => when === BEFORE_DEPLOYMENT))
    fail(
      "policy.notifications",
      policy.notifications.length,
      `deployment requires a notification: add one with a text for \`${BEFORE_DEPLOYMENT}\``,
    );
  for (const [record, template] of Object.entries(policy.records)) wrongRecord(`policy.records.${record}`, template, fail);
}

function wrongClass(system: SystemDefinition, policy: PolicyDefinition, named: TriggerClass & { name: string }, fail: Fail): void {
  const { name, scope, triggers, deadlineMinutes } = named;
  const path = `policy.classes.${name}`;
  const isScope = among(fail, "scope", Object.keys(system.scopes));
  const isAuthorisation = among(fail, "authorisation", Object.keys(policy.authorisations));
  isScope(`${path}.scope`, scope);
  isAuthorisation(`${path}.authorisation`, named.authorisation);
  triggers.forEach(({ id, scope: other, authorisation }) => {
    isScope(`${path}.triggers.${id}.scope`, other);
    isAuthorisation(`${path}.triggers.${id}.authorisation`, authorisation);
  });
  if (triggers.length === 0 && policy.otherwise !== name)
    fail(`${path}.triggers`, [], "no incident can match this class: add a trigger, or name it in `otherwise`");
  if (deadlineMinutes !== null && scope === null)
    fail(`${path}.scope`, scope, `a class with a deadline rolls back: name the scope, or set deadlineMinutes to null`);
  wrongTimes(path, named, fail);
}

/** A deadline of 0 means at once. */
function wrongTimes(path: string, named: TriggerClass, fail: Fail): void {
  const { deadlineMinutes, decisionMinutes = 0, fixFirstMinutes = 0 } = named;
  if (deadlineMinutes === null) return;
  if (decisionMinutes > deadlineMinutes)
    fail(`${path}.decisionMinutes`, decisionMinutes, `must not be more than the deadline of ${deadlineMinutes} min`);
  if (fixFirstMinutes > deadlineMinutes)
    fail(`${path}.fixFirstMinutes`, fixFirstMinutes, `must not be more than the deadline of ${deadlineMinutes} min`);
}

function wrongTriggerIds({ classes }: PolicyDefinition, fail: Fail): void {
  const triggers = Object.entries(classes).flatMap(([name, { triggers: all }]) =>
    all.map(({ id }, index) => ({ id, path: `policy.classes.${name}.triggers.${index}.id` })),
  );
  const ids = triggers.map(({ id }) => id);
  once(fail, ids, (index) => triggers[index]!.path, "each trigger needs a unique id across all classes");
}

/** Deadlines for different things cannot be compared. */
function wrongSeverity({ classes }: PolicyDefinition, fail: Fail): void {
  const before = new Map<string, { name: string; minutes: number }>();
  for (const [name, { deadlineMinutes, deadlineFor = "" }] of Object.entries(classes)) {
    if (deadlineMinutes === null) continue;
    const severer = before.get(deadlineFor);
    if (severer !== undefined && deadlineMinutes < severer.minutes)
      fail(
        `policy.classes.${name}.deadlineMinutes`,
        deadlineMinutes,
        `${severer.name} is listed before it and has ${severer.minutes} min: list the most severe class, with the shortest deadline, first`,
      );
    before.set(deadlineFor, { name, minutes: deadlineMinutes });
  }
}

function wrongAuthorisations({ authorisations }: PolicyDefinition, fail: Fail): void {
  for (const [name, { approvers, standIns = {} }] of Object.entries(authorisations)) {
    const path = `policy.authorisations.${name}`;
    once(fail, approvers, (index) => `${path}.approvers.${index}`);
    for (const role of Object.keys(standIns)) among(fail, "approver", approvers, "this authorisation")(`${path}.standIns`, role);
  }
}

function wrongEscalation({ escalation }: PolicyDefinition, fail: Fail): void {
  escalation.forEach(({ afterMinutes }, index) => {
    const before = escalation[index - 1]?.afterMinutes ?? 0;
    if (afterMinutes < before)
      fail(
        `policy.escalation.${index}.afterMinutes`,
        afterMinutes,
        `the one before is called after ${before} min: list the one who is called first, first`,
      );
  });
}

function wrongNotifications({ notifications }: PolicyDefinition, scopes: readonly string[], fail: Fail): void {
  notifications.forEach(({ text, scopes: own = [] }, index) => {
    const path = `policy.notifications.${index}`;
    filledIn(fail, `${path}.text`, text, MESSAGE_PLACEHOLDERS);
    own.forEach((scope, at) => among(fail, "scope", scopes)(`${path}.scopes.${at}`, scope));
  });
}

function wrongRecord(path: string, { sections, choices = {}, values = {}, withinHours, due, file }: RecordTemplate, fail: Fail): void {
  const fields = Object.values(sections).flat();
  if (fields.length === 0) fail(`${path}.sections`, sections, "must have a heading with a field");
  for (const field of Object.keys(choices)) among(fail, "field", fields, "the sections")(`${path}.choices`, field);
  for (const field of Object.keys(values)) among(fail, "field", fields, "the sections")(`${path}.values`, field);
  if (withinHours === null && due === undefined) fail(`${path}.withinHours`, withinHours, "must be a number of hours, or set `due`");
  if (file !== undefined) filledIn(fail, `${path}.file`, file, [...MESSAGE_PLACEHOLDERS, "date"]);
}
