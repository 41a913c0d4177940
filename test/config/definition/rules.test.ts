import { describe, expect, it } from "vitest";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { definition as radiationHealth } from "../../../systems/radiation-health/definition.ts";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import { definition as pfa } from "../sample.ts";
import { changed, wrongIn } from "./refused.ts";

type Case = [what: string, wrong: unknown, message: RegExp];
const of = (system: SystemDefinition) => (path: string, value: unknown) => changed(system, path, value);
const [inPfa, inOrbis, inRadiation] = [of(pfa), of(orbisForge), of(radiationHealth)];

function refuses(cases: readonly Case[]): void {
  it.each(cases)("%s", (_what, wrong, message) => {
    expect(wrongIn(wrong).join("\n")).toMatch(message);
  });
}

describe("scopes: a definition is refused for", () => {
  refuses([
    [
      "phases that take longer than the whole",
      inPfa("scopes.quick.budgetSeconds", 60),
      /scopes\.quick\.budgetSeconds: 60 .*its phases take 600 s together: raise it/,
    ],
    ["a phase there is not", inPfa("scopes.quick.phaseBudgets", { verfy: 1 }), /phaseBudgets: "verfy".*did you mean `verify`/],
    ["a check named twice", inPfa("scopes.quick.checks", ["health", "health"]), /scopes\.quick\.checks\.1: "health".*twice: remove one/],
    ["flags that live nowhere", inPfa("flags", undefined), /scopes\.worker\.pins\.flags: .*add `flags`/],
    [
      "a pin of a service with a slip",
      inPfa("scopes.quick.pins", { services: { worker: { restrat: true } } }),
      /worker\.restrat: true.*`restart`/,
    ],
    [
      "configuration of nobody",
      inPfa("scopes.quick.pins", { service: { config: "leger" } }),
      /service\.config: "leger".*`ledger`, or a list/,
    ],
    ["a watch there is not", inPfa("scopes.quick.pins.freeze", { reason: "r", until: "sok" }), /freeze\.until: "sok".*`soak`/],
  ]);
});

describe("watches: a definition is refused for", () => {
  refuses([
    [
      "a check that writes",
      inPfa("watches.quick.checks", ["health", "write"]),
      /watches\.quick\.checks\.1: "write".*writes, and a watch must not/,
    ],
    ["no check at all", inPfa("watches.quick.checks", []), /watches\.quick\.checks: .*must name a check/],
    ["no scope after which it is due", inPfa("watches.quick.after", []), /watches\.quick\.after: .*must name a scope/],
    ["no poll in its time", inPfa("watches.quick.intervalSeconds", 901), /intervalSeconds: 901 .*more than the 900 s/],
    ["a share of nothing", inPfa("watches.quick.pass.healthyShare", 0), /healthyShare: .*above 0 and at most 1/],
    ["a limit that measures nothing", inPfa("watches.quick.pass.limits.0.figure", ""), /limits\.0\.figure: .*not be empty/],
    [
      "waiting for a watch that is not due",
      inOrbis("watches.stability.after", ["full", "maintenance"]),
      /watches\.stability\.follows: "polls".*not due after maintenance.*add it there/,
    ],
    ["waiting for itself", inOrbis("watches.polls.follows", "heightened"), /watches\.\w+\.follows: .*wait for each other.*remove one/],
  ]);
});

describe("steps after success: a definition is refused for", () => {
  const action = "actions.drop-sync-tables";
  refuses([
    ["a watch that never comes after its scope", inPfa(`${action}.watches`, ["soak"]), /after\.0: "quick".*none of its watches/],
    ["a deployment to wait for", inPfa(`${action}.after`, ["deploy"]), /after\.0: "deploy".*no scope/],
    ["a migration there is not", inPfa(`${action}.migration`, "2025_x"), /migration: "2025_x".*no migration of pfa/],
    ["dropping what is not kept", inPfa(`${action}.keeps`, []), /keeps: .*name them/],
    ["work that is neither", inPfa(`${action}.work`, "delete"), /work: "delete".*`drop` or a function/],
  ]);
});

describe("drills: a definition is refused for", () => {
  refuses([
    ["a fault that no scope answers", inPfa("drill.faults.error-rate.scope", "quik"), /error-rate\.scope: "quik".*did you mean `quick`/],
    ["a fault of a service there is not", inPfa("drill.faults.error-rate.hinder", { portOf: "web" }), /hinder\.portOf: "web".*no service/],
    ["a default fault there is not", inPfa("drill.defaultFault", "eror-rate"), /defaultFault: "eror-rate".*`error-rate`/],
    [
      "a scope for one service without it",
      inRadiation("drill.faults.memory-leak.service", undefined),
      /memory-leak\.service is missing.*name it/,
    ],
    ["a stand-in that is nowhere", inPfa("drill.standIns.pems.entry", "nowhere.ts"), /standIns\.pems\.entry: "nowhere\.ts".*not found/],
    ["going back to what it leaves", inPfa("drill.to", pfa.drill.from), /drill\.to: .*another release/],
  ]);
});

describe("records: a definition is refused for", () => {
  refuses([
    ["a protection of a scope there is not", inOrbis("protections.0.scopes", ["ful"]), /protections\.0\.scopes\.0: "ful".*`full`/],
    [
      "two captures in one file",
      inOrbis("evidence.captures.1.file", orbisForge.evidence!.captures[0]!.file),
      /captures\.1\.file: .*use different files/,
    ],
    ["a file nobody can name", inOrbis("evidence.captures.0.file", "a_{stmp}.json"), /unknown placeholder \{stmp\}.*did you mean `stamp`/],
    [
      "a target held against nothing",
      inOrbis("completion.targets.0", { metric: "m", title: "t", unit: "s" }),
      /targets\.0: "m".*below, above or atMost/,
    ],
  ]);
});

describe("the policy: a definition is refused for", () => {
  const triggers = [{ id: "security", title: "again" }];
  refuses([
    ["a key with a slip", inPfa("policy.escalaton", []), /policy\.escalaton: .*did you mean `escalation`/],
    ["a class that rolls back by no scope", inPfa("policy.classes.immediate.scope", null), /immediate\.scope: null .*name the scope/],
    ["a scope there is not", inPfa("policy.classes.immediate.scope", "quik"), /immediate\.scope: "quik".*did you mean `quick`/],
    [
      "a trigger's scope there is not",
      inPfa("policy.classes.immediate.triggers.1.scope", "x"),
      /triggers\.corruption\.scope: "x".*no scope/,
    ],
    ["one trigger in two classes", inPfa("policy.classes.monitor.triggers", triggers), /monitor\.triggers\.0\.id: "security".*twice/],
    ["a class nothing can match", inPfa("policy.classes.scheduled.triggers", []), /scheduled\.triggers: .*add a trigger/],
    ["a trigger without limit", inPfa("policy.classes.immediate.triggers.2.metric", { name: "m" }), /triggers\.2\.metric: .*above, below/],
    [
      "an authorisation there is not",
      inPfa("policy.defaultAuthorisation", "production"),
      /defaultAuthorisation: "production".*`production-p1`/,
    ],
    ["nobody who decides", inPfa("policy.authorisations.security.approvers", []), /approvers: .*must name a role/],
    [
      "a stand-in for nobody",
      inPfa("policy.authorisations.security.standIns", { Boss: ["Deputy"] }),
      /standIns: "Boss".*no approver of this/,
    ],
    ["a class to fall back to there is not", inPfa("policy.otherwise", "monitr"), /otherwise: "monitr".*did you mean `monitor`/],
    ["less time than deciding takes", inRadiation("policy.classes.fast.decisionMinutes", 16), /decisionMinutes: 16 .*deadline of 15 min/],
    [
      "more time for a quick fix than there is",
      inRadiation("policy.classes.fast.fixFirstMinutes", 16),
      /fixFirstMinutes: 16 .*deadline of 15 min/,
    ],
    [
      "a severe class that may take longer",
      inRadiation("policy.classes.immediate.deadlineMinutes", 20),
      /fast\.deadlineMinutes: 15 .*most severe/,
    ],
    ["an escalation out of order", inRadiation("policy.escalation.2.afterMinutes", 1), /escalation\.2\.afterMinutes: 1 .*after 15 min/],
    [
      "a placeholder nobody fills in",
      inPfa("policy.notifications.0.text", "{insident}"),
      /text: .*unknown placeholder \{insident\}.*`incident`/,
    ],
    ["a message of a scope there is not", inPfa("policy.notifications.0.scopes", ["quik"]), /notifications\.0\.scopes\.0: "quik"/],
    [
      "a deployment that must be told and no text for it",
      inRadiation("policy.notifications", []),
      /policy\.notifications: .*`before-deployment`/,
    ],
    ["a record that is never due", inPfa("policy.records.report.withinHours", null), /report\.withinHours: null .*`due`/],
    ["a record of nothing", inPfa("policy.records.report", { title: "t", withinHours: 1, sections: {} }), /report\.sections: .*a heading/],
    ["choices of a field there is not", inPfa("policy.records.report.choices", { Severty: ["P1"] }), /choices: "Severty".*`Severity`/],
  ]);
});

describe("a small definition of somebody's own is right", () => {
  const shop = {
    name: "shop",
    title: "Shop",
    folder: import.meta.dirname,
    services: { api: { kind: "service", title: "API", entry: "main.js", databases: [], stopGraceMs: 1000 } },
    stopOrder: [],
    databases: {},
    listeners: { api: { service: "api" } },
    effects: [],
    scopes: { code: { title: "Code", useWhen: "", budgetSeconds: 60, phaseBudgets: {}, pins: { release: "to" }, checks: [] } },
    defaultScope: "code",
    checks: [],
    maintenanceMessage: "Back soon",
    retryAfterSeconds: 5,
  };

  it("without drill, policy, watches, evidence", () => {
    expect(wrongIn(shop)).toEqual([]);
  });

  it("with the least of a policy", () => {
    const bare = { classes: {}, authorisations: {}, escalation: [], roles: [], notifications: [], drills: [], records: {}, targets: {} };
    const trigger = { id: "down", title: "it is down" };
    const classes = { bad: { title: "Bad", deadlineMinutes: null, scope: null, triggers: [trigger] } };
    expect(wrongIn({ ...shop, policy: bare })).toEqual([]);
    expect(wrongIn({ ...shop, policy: { ...bare, classes } })).toEqual([]);
  });
});
