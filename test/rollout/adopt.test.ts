import { expect, test } from "vitest";
import type { AdoptionRecord } from "../../state/adoption.ts";
import type { Rollout } from "../../config/record.ts";
import { baselineOf, type AdoptionReport } from "../../rollout/adopt/look.ts";
import { adoptedPlan, adoptionEpoch } from "../../rollout/adopt/record.ts";
import { nextRollout, type Facts } from "../../rollout/inspect.ts";
import { adoptionLines } from "../../scripts/verbs/adopt-lines.ts";
import { rolloutOf } from "../../config/pins.ts";
import { pinsOf } from "../config/sample.ts";
import { definition, facts } from "./sample.ts";

const ASKED = { order: ["v1.0.0", "v3.0.0", "v4.0.0"], scope: null };
const running = pinsOf({ release: "v3.0.0" });
const record = (doneAt: string | null) => ({ doneAt }) as AdoptionRecord;

function adopted(more: Partial<Rollout> = {}): Rollout {
  const plan = adoptedPlan(["pfa"], "v3.0.0");
  return { epoch: 1, rollout: rolloutOf(running), pins: running, plan, state: "open", recordedAt: "2026-01-01", ...more } as Rollout;
}
function world(last: Rollout): Facts {
  return { reach: { kind: "reached" }, last, lastOpen: last, snapshots: [], catalogue: [], opened: [last], databases: { pfa: facts() } };
}

test("the first rollout after an adoption starts from what ran, also where the engine has never heard of the stack", () => {
  const next = nextRollout(world(adopted()), definition, pinsOf({ release: "v4.0.0" }), ASKED, false);
  expect(next.epoch).toBe(2);
  expect(next.plan).toMatchObject({
    forward: true,
    fromRelease: "v3.0.0",
    toRelease: "v4.0.0",
    take: [{ name: "before-v4.0.0", automatic: true }],
  });
});

test("the same pins need no rollout: services are started beside what runs, and nobody is kept out", () => {
  const next = nextRollout(world(adopted()), definition, running, ASKED, false);
  expect(next).toMatchObject({ epoch: 1, plan: { adopted: true, fenceData: false, closeGate: false, stop: [] } });
});

test("a stack that was destroyed while its data was kept still begins anew", () => {
  const last = adopted({ plan: { ...adoptedPlan(["pfa"], "v3.0.0"), adopted: undefined } });
  expect(nextRollout(world(last), definition, running, ASKED, false)).toMatchObject({ epoch: 2, plan: { fromRelease: null } });
});

test("an adoption that was interrupted keeps its epoch; the one after a giving back does not", () => {
  expect(adoptionEpoch(null, record(null))).toBe(1);
  expect(adoptionEpoch(adopted(), record(null))).toBe(1);
  expect(adoptionEpoch(adopted({ state: "closing" }), record(null))).toBe(1);
  expect(adoptionEpoch(adopted({ state: "refused" }), null)).toBe(2);
});

test("a baseline is every migration up to the one that is named, and a name that is none is said with those there are", () => {
  const names = definition.databases["pfa"]!.migrations.map(({ name }) => name);
  expect(baselineOf({ definition, baseline: {} }, "pfa")).toEqual([]);
  expect(baselineOf({ definition, baseline: { pfa: names[1]! } }, "pfa")).toEqual(names.slice(0, 2));
  expect(baselineOf({ definition, baseline: { pfa: "nope" } }, "pfa")).toBe(
    `--baseline nope: pfa has no such migration; there are ${names.join(", ")}`,
  );
});

test("what is found reads as sentences: limits, notes, ports, and why it would be refused", () => {
  const report: AdoptionReport = {
    stack: "shop",
    release: "v1",
    databases: {
      shop: {
        live: "shop",
        place: "db:5432",
        sizeBytes: 12_300_000,
        owner: "shopapp",
        tables: [{ name: "orders", rows: 5000.4 }],
        grants: [{ grantee: null, privileges: ["CONNECT", "TEMPORARY"] }],
        sessions: [{ application: "", role: "web", count: 3 }],
        ledgers: [
          { name: "prisma", declared: true, head: "1_orders", applied: 1 },
          { name: "alembic_version", declared: false, head: null, applied: null },
        ],
        extensions: [],
        limits: ["it cannot fly"],
        notes: [],
      },
    },
    services: [
      {
        name: "api",
        kind: "service",
        release: "v1",
        running: null,
        ports: [
          { port: 8080, use: "users", heldBy: "node server.js (pid 7)", taken: true },
          { port: 8081, use: "service", heldBy: null, taken: false },
        ],
      },
      {
        name: "jobs",
        kind: "external",
        release: "v1",
        running: true,
        ports: [{ port: 9000, use: "service", heldBy: "python jobs.py (pid 8)", taken: false }],
      },
      { name: "cron", kind: "external", release: "v1", running: false, ports: [] },
    ],
    does: ["writes backout:adopt: true into the stack file"],
    refused: [],
  };
  expect(adoptionLines(report)).toEqual([
    "shop: v1 is taken for the release that runs",
    "database shop: shop at db:5432, 12.3 MB, belongs to shopapp",
    "  tables: orders (about 5000 rows)",
    "  rights: everybody CONNECT+TEMPORARY",
    "  in it now: unnamed as web × 3",
    "  migrations: prisma (declared) at 1_orders, 1 recorded, alembic_version, another tool's",
    "  extensions: none",
    "  limit: it cannot fly",
    "service api (service): port 8080 for users: node server.js (pid 7); end it, or declare another port, before the next deployment",
    "service api (service): port 8081 for the service itself: free",
    "service jobs (external), runs: port 9000 for the service itself: python jobs.py (pid 8)",
    "service cron (external), does not run: uses no port",
    "adopting:",
    "  writes backout:adopt: true into the stack file",
  ]);
  expect(adoptionLines({ ...report, refused: ["no"] }).slice(-2)).toEqual(["adopting would be refused:", "  no"]);
});
