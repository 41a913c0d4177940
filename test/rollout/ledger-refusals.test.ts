/** What a migration tool makes impossible is refused by the plan, with what to do instead. */
import { describe, expect, it, test } from "vitest";
import type { DatabaseFacts, DatabasePlan } from "../../config/plan.ts";
import type { Pins } from "../../config/pins.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { LedgerName } from "../../config/system/ledgers.ts";
import { LEDGER_NAMES, REFUSES_UNKNOWN } from "../../config/system/ledgers.ts";
import { runsOn } from "../../config/schema-ahead.ts";
import { ledgerRefusals } from "../../rollout/ledger-refusals.ts";
import { schemaChange } from "../../rollout/schema-change.ts";

const scope = (pins: object) => ({ title: "", useWhen: "", budgetSeconds: 1, phaseBudgets: {}, checks: [], pins });

function system(database: object = {}): SystemDefinition {
  return {
    name: "shop",
    folder: "/nowhere",
    services: { api: { databases: ["shop"] }, site: { databases: [] } },
    databases: {
      shop: {
        engine: "postgres",
        ledger: "auto",
        migrations: ["1", "2", "3"].map((name) => ({ name, path: name, scripts: "tool" })),
        ...database,
      },
    },
    scopes: {
      code: scope({ release: "to", data: "current", schema: "keep" }),
      down: scope({ release: "to", data: "current", schema: "down" }),
      full: scope({ release: "to", data: "snapshot" }),
    },
  } as unknown as SystemDefinition;
}

const releases = { v1: { schema: { shop: "2" } }, v2: { schema: { shop: "3" } } };

function question(
  ledger: LedgerName,
  {
    definition = system(),
    api = "v1",
    needs = "2",
    plan = {},
    now = {},
  }: {
    definition?: SystemDefinition;
    api?: "v1" | "v2";
    needs?: string;
    plan?: Partial<DatabasePlan>;
    now?: Partial<DatabaseFacts>;
  } = {},
) {
  const made = runsOn(definition, releases, { api });
  const pins = {
    release: api,
    services: { api: { release: api, run: true } },
    needs: { shop: needs },
    ...(made === undefined ? {} : { runsOn: made }),
  };
  const planned: DatabasePlan = { action: { kind: "none" }, up: [], back: ["3"], backBy: "keep", ...plan };
  return {
    definition,
    database: "shop",
    pins: pins as unknown as Pins,
    plan: planned,
    now: { exists: true, lineage: { snapshot: null, quarantine: null }, applied: ["1", "2", "3"], failed: [], ledger, head: "3", ...now },
  };
}

describe("a rollback of the code alone", () => {
  it.each(["alembic", "knex", "flyway", "golang-migrate", "sqlx"] as const)("past %s is refused with the scope that works", (ledger) => {
    const [reason, ...others] = ledgerRefusals(question(ledger));
    expect(others).toEqual([]);
    expect(reason).toContain("api v1 knows shop up to 2, and 3 would stay applied");
    expect(reason).toContain(REFUSES_UNKNOWN[ledger]);
    expect(reason).toMatch(/by scope full\. .*newerSchema: "runs"/);
  });

  it("names every service, and the command to type", () => {
    const definition = system();
    definition.services["web"] = definition.services["api"]!;
    const several = question("alembic", { definition });
    const both = Object.fromEntries(["api", "web"].map((name) => [name, several.pins.services["api"]!]));
    several.pins.services = both;
    several.pins.runsOn = runsOn(definition, releases, { api: "v1", web: "v1" })!;
    const [reason] = ledgerRefusals({ ...several, back: { project: "/nowhere", stack: "dev" } });
    expect(reason).toContain("api v1 and web v1 know shop up to 2");
    expect(reason).toContain("by scope full: `npx backout rollback --stack dev --to v1 --scope full`.");
  });

  it("with a command that reverts, `down` works as well and comes first", () => {
    const definition = system({ migrate: "up", migrateDown: "down" });
    expect(ledgerRefusals(question("alembic", { definition }))[0]).toContain("by scope down or full.");
    expect(ledgerRefusals(question("alembic", { definition, plan: { backBy: "down" } }))).toEqual([]);
  });

  it.each(LEDGER_NAMES.filter((name) => REFUSES_UNKNOWN[name] === undefined))("past %s is let through", (ledger) => {
    expect(ledgerRefusals(question(ledger))).toEqual([]);
  });

  it("is let through where no release starts the tool, where the release knows the revision, and where the service is off", () => {
    expect(ledgerRefusals(question("alembic", { definition: system({ newerSchema: "runs" }) }))).toEqual([]);
    expect(ledgerRefusals(question("alembic", { api: "v2", needs: "3", plan: { back: [] } }))).toEqual([]);
    const off = question("alembic");
    (off.pins.services["api"] as { run: boolean }).run = false;
    expect(ledgerRefusals(off)).toEqual([]);
  });

  it("a revision that nobody knows counts as newer", () => {
    expect(ledgerRefusals(question("knex", { now: { applied: ["1", "2"], unknown: ["9"], head: "9" }, plan: { back: [] } }))[0]).toContain(
      "and 9 would stay",
    );
  });
});

describe("migrations that only the tool can run", () => {
  it("are refused without its command, with an example", () => {
    const forward = {
      api: "v2" as const,
      needs: "3",
      plan: { up: ["3"], back: [] },
      now: { applied: ["1", "2"], head: "2" },
    } satisfies Parameters<typeof question>[1];
    expect(ledgerRefusals(question("alembic", forward))[0]).toMatch(
      /v2 needs 3 in shop, which only Alembic can apply: .*migrate: "alembic upgrade/,
    );
    expect(ledgerRefusals(question("alembic", { ...forward, definition: system({ migrate: "alembic upgrade head" }) }))).toEqual([]);
  });

  it("are refused where restored data lacks them", () => {
    const restored = { applied: ["1"], unfinished: [], unknown: [] };
    const action = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 } as const;
    expect(ledgerRefusals({ ...question("django", { plan: { action, back: [] } }), restored })[0]).toContain(
      "v1 needs 2 in shop, which only Django",
    );
  });

  it("cannot be reverted or marked by backout", () => {
    expect(ledgerRefusals(question("django", { plan: { backBy: "down" } }))[0]).toMatch(/only Django can revert 3 .*migrateDown: "python/);
    expect(ledgerRefusals(question("django", { plan: { backBy: "mark" } }))[0]).toContain("only Django writes in the ledger");
  });
});

test("where the ledger keeps the newest revision only and nobody knows it, nothing is run on top of it", () => {
  const lost = {
    now: { applied: [], unknown: ["zz"], head: "zz" },
    plan: { up: ["1", "2"], back: [] },
    definition: system({ migrate: "x", newerSchema: "runs" }),
  };
  expect(ledgerRefusals(question("alembic", lost))[0]).toContain("shop is at zz, which none of its migrations is (the newest is 3)");
});

test("a database whose ledger was not read is not judged", () => {
  const { ledger: _, ...now } = question("alembic").now;
  expect(ledgerRefusals({ ...question("alembic"), now: now })).toEqual([]);
});

describe("the preview's heads", () => {
  const change = (plan: Partial<DatabasePlan>, head: string | undefined = undefined) =>
    schemaChange(
      system(),
      "shop",
      { action: { kind: "none" }, up: [], back: [], backBy: "keep", head: "3", ...plan },
      {
        baseline: head === undefined ? null : ({ migrations: { shop: { applied: [], unfinished: [], unknown: [], head } } } as never),
      },
    ).schema;

  it.each([
    ["stays", {}, undefined, undefined],
    ["kept although newer", { back: ["3"] }, undefined, undefined],
    ["down", { back: ["3", "2"], backBy: "down" }, undefined, { from: "3", to: "1" }],
    ["down to nothing", { back: ["3", "2", "1"], backBy: "down" }, undefined, { from: "3", to: null }],
    ["forward", { head: "2", up: ["3"] }, undefined, { from: "2", to: "3" }],
    ["made new", { action: { kind: "create" }, head: undefined, up: ["1", "2"] }, undefined, { from: null, to: "2" }],
    ["restored", { action: { kind: "restore", snapshot: "s", generation: 1, again: 0 } }, "2", { from: "3", to: "2" }],
    ["restored, and nothing is recorded", { action: { kind: "restore", snapshot: "s", generation: 1, again: 0 } }, undefined, undefined],
  ])("%s", (_name, plan, head, expected) => expect(change(plan as Partial<DatabasePlan>, head)).toEqual(expected));
});
