import { expect, test } from "vitest";
import { migrationStates } from "../../../../databases/shared/migrations/status.ts";
import { type LedgerRow } from "../../../../databases/shared/migrations/ledger.ts";

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
