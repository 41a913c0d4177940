import fc from "fast-check";
import { expect, test } from "vitest";
import {
  assertSchemaFits,
  isApplied,
  MigrationUnfinishedError,
  migrationStates,
  planDown,
  planUp,
  SchemaDoesNotFitError,
  UnknownMigrationError,
  type LedgerRow,
  type MigrationState,
} from "../../../databases/postgres/migrations.ts";

const NAMES = ["01_a", "02_b", "03_c", "04_d", "05_e"];
const KNOWN = NAMES.map((name) => ({ name }));

function state(name: string, status: MigrationState["status"], clean = false): MigrationState {
  return { name, status, clean, startedAt: null, finishedAt: null, rolledBackAt: null, logs: null };
}

const runnable = fc.constantFrom<MigrationState["status"]>("pending", "applied", "modified", "rolled back", "failed");
const states = fc.tuple(...NAMES.map((name) => runnable.map((status) => state(name, status, true))));
const target = fc.constantFrom(...NAMES);

/** The states after a plan was carried out. */
function after(before: MigrationState[], plan: { name: string }[], status: MigrationState["status"]): MigrationState[] {
  return before.map((one) => (plan.some(({ name }) => name === one.name) ? state(one.name, status) : one));
}

test("up: afterwards everything up to the target is applied, nothing newer was touched, and there is nothing left to do", () => {
  fc.assert(
    fc.property(states, target, (before, goal) => {
      const plan = planUp(KNOWN, before, goal);
      const now = after(before, plan, "applied");
      const place = NAMES.indexOf(goal);
      expect(now.slice(0, place + 1).every(isApplied)).toBe(true);
      expect(now.slice(place + 1)).toEqual(before.slice(place + 1));
      expect(plan.map(({ name }) => name)).toEqual(plan.map(({ name }) => name).sort());
      expect(planUp(KNOWN, now, goal)).toEqual([]);
      expect(() => assertSchemaFits(KNOWN, now, goal)).not.toThrow();
    }),
  );
});

test("down: afterwards nothing newer than the target is applied, nothing older was touched, newest first", () => {
  fc.assert(
    fc.property(states, fc.option(target), (before, goal) => {
      const plan = planDown(KNOWN, before, goal);
      const now = after(before, plan, "rolled back");
      const place = goal === null ? -1 : NAMES.indexOf(goal);
      expect(now.slice(place + 1).some(isApplied)).toBe(false);
      expect(now.slice(0, place + 1)).toEqual(before.slice(0, place + 1));
      expect(plan.map(({ name }) => name)).toEqual(
        plan
          .map(({ name }) => name)
          .sort()
          .reverse(),
      );
      expect(planDown(KNOWN, now, goal)).toEqual([]);
    }),
  );
});

test("up and down again is where one was", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }), (from, to) => {
      const before = NAMES.map((name, place) => state(name, place <= from ? "applied" : "pending"));
      const goal = NAMES[Math.max(from, to)]!;
      const up = planUp(KNOWN, before, goal);
      const down = planDown(KNOWN, after(before, up, "applied"), NAMES[from]!);
      expect(down).toEqual([...up].reverse());
    }),
  );
});

test("a migration started elsewhere and never finished stops every plan it is part of", () => {
  const half = NAMES.map((name, place) => state(name, place === 2 ? "failed" : place < 2 ? "applied" : "pending"));
  expect(() => planUp(KNOWN, half, "05_e")).toThrow(MigrationUnfinishedError);
  expect(() => planDown(KNOWN, half, null)).toThrow(/03_c: started and never finished/);
  expect(planUp(KNOWN, half, "02_b")).toEqual([]);
  expect(() => assertSchemaFits(KNOWN, half, "02_b")).toThrow(SchemaDoesNotFitError);
});

test("what the definition does not know is named", () => {
  expect(() => planUp(KNOWN, [], "99_x")).toThrow(UnknownMigrationError);
  expect(() => planDown(KNOWN, [], "99_x")).toThrow(UnknownMigrationError);
  expect(() => planDown(KNOWN, [state("99_x", "unknown")], "01_a")).toThrow(
    /"99_x" is applied to this database but not in the system's definition/,
  );
  expect(planDown(KNOWN, [state("00_x", "unknown"), state("02_b", "applied")], "01_a")).toEqual([{ name: "02_b" }]);
});

test("a schema fits when it has what is needed, with or without more", () => {
  const upTo = (place: number) => NAMES.map((name, at) => state(name, at <= place ? "applied" : "pending"));
  expect(() => assertSchemaFits(KNOWN, upTo(1), "03_c")).toThrow(/does not reach 03_c; not applied: 03_c/);
  expect(() => assertSchemaFits(KNOWN, upTo(-1), "02_b")).toThrow(/01_a, 02_b/);
  for (const place of [2, 4]) expect(() => assertSchemaFits(KNOWN, upTo(place), "03_c")).not.toThrow();
  expect(() => assertSchemaFits(KNOWN, [], null)).not.toThrow();
  const modified = [state("01_a", "modified"), state("02_b", "applied")];
  expect(() => assertSchemaFits(KNOWN, modified, "02_b")).not.toThrow();
});

function row(name: string, over: Partial<LedgerRow> = {}): LedgerRow {
  return {
    id: name,
    name,
    checksum: "same",
    logs: null,
    startedAt: new Date(0),
    finishedAt: new Date(1),
    rolledBackAt: null,
    appliedSteps: 1,
    ...over,
  };
}

test("the rows of one migration together tell its state", () => {
  const rolledBack = row("01_a", { rolledBackAt: new Date(2) });
  const started = row("01_a", { finishedAt: null });
  const status = (...rows: LedgerRow[]) =>
    migrationStates([{ name: "01_a" }], rows, (_, sum) => sum === "same").map((one) => [one.name, one.status, one.clean]);
  expect(status()).toEqual([["01_a", "pending", false]]);
  expect(status(rolledBack)).toEqual([["01_a", "rolled back", false]]);
  expect(status(rolledBack, row("01_a"))).toEqual([["01_a", "applied", false]]);
  expect(status(rolledBack, started)).toEqual([["01_a", "failed", false]]);
  expect(status({ ...started, logs: "backout: one transaction\nsyntax error" })).toEqual([["01_a", "failed", true]]);
  expect(status(row("01_a", { checksum: "other" }))).toEqual([["01_a", "modified", false]]);
  expect(status(row("77_z"))).toEqual([
    ["01_a", "pending", false],
    ["77_z", "unknown", false],
  ]);
});
