/** Data whose schema the pinned releases do not take is refused before anything stops; whatever they run on, and whatever can be brought there, is not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DataAction } from "../../config/plan.ts";
import { misfit, schemaRefusal, type SchemaQuestion } from "../../rollout/schema-taken.ts";
import type { Pins } from "../../config/pins.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { RecordedMigrations } from "../../config/system/check.ts";
import { definition, MIGRATIONS } from "./sample.ts";

const [FIRST, SECOND, THIRD] = MIGRATIONS as [string, string, string];
const pfa = definition.databases["pfa"]!;
/** The same system, were it one whose older release breaks on a newer schema. */
const breaking: SystemDefinition = { ...definition, databases: { pfa: { ...pfa, newerSchema: "breaks" } } };

const RESTORE: DataAction = { kind: "restore", snapshot: "nightly", generation: 1, again: 0 };
const UNDO: DataAction = { kind: "undo", quarantine: "pfa_quarantine_3" };
const has = (applied: string[], change: Partial<RecordedMigrations> = {}): RecordedMigrations => ({
  applied,
  unfinished: [],
  unknown: [],
  ...change,
});

function pinned(release: string, newest: string, action: DataAction): Pins {
  return {
    release,
    services: { backend: { release } },
    needs: { pfa: newest },
    runsOn: { backend: { pfa: newest } },
    data: {
      pfa:
        action.kind === "restore"
          ? { kind: "snapshot", name: action.snapshot, generation: action.generation, again: 0 }
          : action.kind === "undo"
            ? { kind: "quarantine", name: action.quarantine }
            : { kind: "current" },
    },
  } as unknown as Pins;
}

function question(change: Partial<SchemaQuestion> & { action?: DataAction; newest?: string; release?: string } = {}): SchemaQuestion {
  const { action = RESTORE, newest = SECOND, release = "v3.0.0", ...rest } = change;
  return {
    definition,
    database: "pfa",
    pins: pinned(release, newest, action),
    plan: { action, back: [], backBy: "keep" },
    data: has([FIRST, SECOND]),
    ...rest,
  };
}

const refused = (change: Parameters<typeof question>[0], fitting: string[] = []): string | null =>
  schemaRefusal(question(change), fitting, "v4.0.0");

describe("taken", () => {
  it("data that lacks migrations which can be applied, and newer data where that does no harm", () => {
    fc.assert(
      fc.property(
        fc.subarray(MIGRATIONS),
        fc.constantFrom(FIRST, SECOND, THIRD),
        fc.constantFrom(RESTORE, UNDO),
        (applied, newest, action) => {
          expect(refused({ data: has(applied), newest, action })).toBeNull();
          expect(refused({ data: has(applied, { unknown: ["20270101000001_by_hand"] }), newest, action })).toBeNull();
        },
      ),
    );
  });

  it("newer data that stays where it is: going back in two steps is told, and is a way", () => {
    expect(refused({ definition: breaking, action: { kind: "none" }, data: has(MIGRATIONS) })).toBeNull();
  });

  it("an undone quarantine whose newer migrations are taken back with it", () => {
    const undone = { definition: breaking, action: UNDO, data: has(MIGRATIONS) };
    expect(refused(undone)).toMatch(/has 20251128000003/);
    expect(refused({ ...undone, plan: { action: UNDO, back: [], backBy: "down" } })).toBeNull();
  });
});

describe("refused", () => {
  it("too many: a snapshot that is newer than the release breaks on, with the snapshots that fit and the release that ran on it", () => {
    expect(refused({ definition: breaking, data: has(MIGRATIONS) }, ["before-v4.0.0@1"])).toBe(
      `v3.0.0 cannot run on nightly@1 of pfa: it has ${THIRD} as well, which the release breaks on. ` +
        "Fix: pin other data (before-v4.0.0@1 will do), or v4.0.0, which ran on it",
    );
    expect(misfit(question({ definition: breaking, data: has([FIRST, SECOND], { unknown: ["20270101000001_by_hand"] }) })).tooMany).toEqual(
      ["20270101000001_by_hand"],
    );
  });

  it("missing: a migration that the release needs and that stands half-way in the data, wherever the data comes from", () => {
    const data = has([FIRST, SECOND], { unfinished: [THIRD] });
    for (const action of [RESTORE, UNDO, { kind: "none" } as const]) {
      expect(misfit(question({ action, newest: THIRD, data }))).toEqual({ missing: [THIRD], stuck: [], tooMany: [] });
      // The older release does without it.
      expect(refused({ action, data })).toBeNull();
    }
    expect(refused({ release: "v4.0.0", newest: THIRD, data })).toMatch(
      /^v4\.0\.0 cannot run on nightly@1 of pfa: it lacks 20251128000003\S*: started and never finished.*no snapshot is known to fit/,
    );
    expect(refused({ release: "v4.0.0", newest: THIRD, data, action: { kind: "none" } })).toMatch(
      /cannot run on pfa as it is: .*Fix: mark it rolled back .* or applied/,
    );
  });

  it("a way down from a migration that stands half-way", () => {
    const stuck = { action: { kind: "none" } as const, data: has([FIRST, SECOND], { unfinished: [THIRD] }) };
    const down = { action: stuck.action, back: [THIRD], backBy: "down" as const };
    expect(refused({ ...stuck, plan: down })).toMatch(/cannot be rid of 20251128000003/);
    expect(refused({ ...stuck, plan: { ...down, backBy: "mark" } })).toBeNull();
  });
});
