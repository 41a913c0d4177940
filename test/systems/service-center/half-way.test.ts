/** What is planned and told where a deployment or a rollback of Service Center stands half-way. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { expect, test } from "vitest";
import type { Facts } from "../../../rollout/inspect.ts";
import type { DatabaseFacts } from "../../../config/plan.ts";
import { planRollout } from "../../../config/make-plan.ts";
import { refusals } from "../../../rollout/refusals.ts";
import { runsOn, schemaAhead } from "../../../config/schema-ahead.ts";
import { editPins, type PinEdit } from "../../../config/edit.ts";
import { parseConfig } from "../../../config/parse.ts";
import type { Pins } from "../../../config/pins.ts";
import { resolvePins } from "../../../config/resolve-pins.ts";
import { deployEdits, scopeEdits } from "../../../config/scope.ts";
import { siteOf } from "../../../config/site.ts";
import { alternativeEdits } from "../../../scripts/verbs/alternative.ts";
import type { Snapshot } from "../../../config/record.ts";
import { wayBackEdits } from "../../../scripts/pulumi/way-back.ts";
import { freshEdits } from "../../../scripts/verbs/fresh.ts";
import { DATABASE } from "../../../systems/service-center/api.ts";
import { definition as serviceCenter } from "../../../systems/service-center/definition.ts";

const PROJECT = join(import.meta.dirname, "../../..");
const STACK = readFileSync(join(PROJECT, "stacks/Pulumi.service-center.yaml"), "utf8");
const ORDER = serviceCenter.databases[DATABASE]!.migrations.map(({ name }) => name);
const SNAPSHOT = { database: DATABASE, name: "before-phase-2", generation: 1 };

function declared(edits: PinEdit[] = []) {
  return parseConfig((parse(editPins(STACK, edits)) as { config: Record<string, unknown> }).config);
}
const pins = (edits: PinEdit[] = []): Pins => resolvePins(declared(edits), serviceCenter);
const PHASE_2 = deployEdits(serviceCenter, "phase-2");
const scope = (name: string): PinEdit[] => [
  ...PHASE_2,
  ...scopeEdits(serviceCenter, { scope: name, to: "phase-1", snapshots: { [DATABASE]: "before-phase-2@1" }, block: null }),
];

function plan(from: Pins, to: Pins, facts: Partial<DatabaseFacts>, unfinished = false, scope: string | null = null) {
  const database: DatabaseFacts = { exists: true, lineage: { snapshot: null, quarantine: null }, applied: ORDER, failed: [], ...facts };
  return planRollout({
    definition: serviceCenter,
    from,
    to,
    unfinished,
    order: ["phase-1", "phase-2"],
    scope: scope === null ? null : { name: scope },
    databases: { [DATABASE]: database },
    snapshots: [SNAPSHOT],
  });
}

test("the application alone going back is told in the plan, and is no surprise to status", () => {
  const planned = plan(pins(PHASE_2), pins(scope("application")), {}, false, "application");
  expect(planned.scope).toBe("application");
  expect(planned.schemaAhead).toEqual([
    expect.stringMatching(/^app is made for service_center up to 20250701000002_ticket_summary, which has 20251020000003/),
  ]);
  const running = runsOn(serviceCenter, declared().releases, { app: "phase-1" })!;
  expect(schemaAhead(serviceCenter, running, { [DATABASE]: ORDER })).toHaveLength(1);
  expect(schemaAhead(serviceCenter, running, { [DATABASE]: ORDER.slice(0, 2) })).toEqual([]);
  expect(schemaAhead(serviceCenter, runsOn(serviceCenter, declared().releases, { app: "phase-2" })!, { [DATABASE]: ORDER })).toEqual([]);
});

test("application and database together leave nothing ahead: restored, or taken back newest first after a safety copy", () => {
  const full = plan(pins(PHASE_2), pins(scope("full")), {}, false, "full");
  expect(full).toMatchObject({ scope: "full", fenceData: true, closeGate: true, stop: ["app"] });
  expect(full.schemaAhead).toBeUndefined();
  expect(full.databases[DATABASE]!.action).toMatchObject({ kind: "restore", snapshot: "before-phase-2", generation: 1 });
  const partial = plan(pins(PHASE_2), pins(scope("partial-migration")), {});
  expect(partial.databases[DATABASE]).toMatchObject({ action: { kind: "none" }, back: ORDER.slice(2).reverse(), backBy: "down" });
  expect(partial.take).toEqual([{ name: "before-down-phase-1", automatic: true }]);
  expect(partial.schemaAhead).toBeUndefined();
});

test("a snapshot that was taken of Phase 2 is refused for Phase 1, in the plan", async () => {
  const snapshot = (name: string, applied: string[]) =>
    ({
      ...SNAPSHOT,
      name,
      release: name === "nightly" ? "phase-2" : "phase-1",
      baseline: { migrations: { [DATABASE]: { applied, unfinished: [], unknown: [] } } },
    }) as unknown as Facts["snapshots"][number];
  const snapshots = [snapshot("before-phase-2", ORDER.slice(0, 2)), snapshot("nightly", ORDER)];
  const databases = { [DATABASE]: { exists: true, lineage: { snapshot: null, quarantine: null }, applied: ORDER, failed: [] } };
  const lastOpen = { state: "open", pins: pins(PHASE_2) } as Facts["lastOpen"];
  const facts: Facts = { reach: { kind: "absent" }, last: null, lastOpen, snapshots, catalogue: [], databases, opened: [] };
  const refused = (name: string) =>
    refusals(siteOf(declared(), "test", PROJECT), serviceCenter, pins([...scope("full"), { path: ["data"], value: `${name}@1` }]), facts, {
      order: ["phase-1", "phase-2"],
      scope: null,
    });
  expect(await refused("before-phase-2")).toEqual([]);
  expect(await refused("nightly")).toEqual([
    expect.stringMatching(
      /^phase-1 cannot run on nightly@1 .* 20251020000005_task_summary as well.*before-phase-2@1 will do\), or phase-2,/,
    ),
  ]);
});

test("where the fence of the failed deployment still stands, nobody has read the ledger: all that may be there goes back", () => {
  const planned = plan(pins(), pins(scope("partial-migration")), { applied: [], unread: true }, true, "partial-migration");
  expect(planned.scope).toBe("partial-migration");
  expect(planned.databases[DATABASE]).toMatchObject({ back: ORDER.slice(2).reverse(), backBy: "down" });
  expect(plan(pins(), pins(scope("full")), { applied: [], unread: true }, true).databases[DATABASE]!.back).toEqual([]);
});

test("a deployment whose migrations failed half-way goes back by down scripts, any other one to its snapshot", () => {
  const snapshot = { id: 1, database: DATABASE, name: "before-phase-2", generation: 1, epoch: 2, automatic: true } as Snapshot;
  const block = { release: "phase-2", incident: "run: it failed" };
  const edits = (halfMigrated: boolean, system = serviceCenter) => {
    const way = {
      definition: system,
      config: declared(),
      pins: pins(),
      goal: { epoch: 1, pins: pins() },
      snapshots: [snapshot],
      block,
      halfMigrated,
      unknown: () => undefined,
    };
    // What the file says already is not written.
    return { schema: declared().schema, ...Object.fromEntries(wayBackEdits(way).map(({ path, value }) => [path.join("."), value])) };
  };
  expect(edits(true)).toMatchObject({ release: "phase-1", data: "current", schema: "down", "blocked.phase-2": "run: it failed" });
  const restored = { release: "phase-1", data: "before-phase-2@1", schema: "keep", "blocked.phase-2": "run: it failed" };
  expect(edits(false)).toMatchObject(restored);
  const { partialMigrationScope: _none, ...plain } = serviceCenter;
  expect(edits(true, plain)).toMatchObject(restored);
});

test("alternatives change where the application runs, and nothing of the pins", () => {
  const { alternatives } = declared();
  expect(Object.keys(alternatives)).toEqual(["standby", "fresh"]);
  const edits = alternativeEdits(alternatives["standby"]!);
  expect(edits).toEqual([{ path: ["ports", "app-upstream"], value: 3027 }]);
  expect(pins([...scope("full"), ...edits])).toEqual(pins(scope("full")));
  // A fresh environment comes last: it runs where it says, and not where the one tried before it did.
  expect(freshEdits({ ...alternatives["fresh"]!, target: "process" })).toContainEqual({ path: ["target"], value: "process" });
});
