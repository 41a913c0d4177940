/** `newWrites: reject` inside the fence: who is let in again, and who stays out. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqlite } from "../databases/engines/whole.ts";
import type { RolloutPlan, DataAction } from "../../config/plan.ts";
import { RolloutRefusedError, StepFailedError } from "../../rollout/run.ts";
import type { Run } from "../../config/run.ts";
import { bringData } from "../../rollout/steps/data.ts";
import { closeFence } from "../../rollout/steps/fence.ts";
import { gateStateFile } from "../../config/site.ts";
import type { Pins } from "../../config/pins.ts";
import { readGateState } from "../../traffic/state.ts";
import { openFile } from "../../databases/sqlite/database.ts";
import { releaseFile } from "../../databases/sqlite/fence.ts";
import { DATABASE, makeStand, planOf, type Stand } from "../databases/engines/sqlite-stand.ts";

const PINS = {
  release: "v1",
  services: {},
  data: {},
  needs: {},
  flags: {},
  maintenance: { mode: "off", message: "" },
} as unknown as Pins;
const RESTORE: DataAction = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 };

function planned(action: DataAction): RolloutPlan {
  return {
    forward: false,
    fenceData: true,
    closeGate: true,
    stop: [],
    take: [],
    databases: { [DATABASE]: planOf(action) },
  } as unknown as RolloutPlan;
}

describe("rows were written since", () => {
  let stand: Stand;
  beforeEach(() => void (stand = makeStand()));
  afterEach(async () => stand.end());

  const write = (sql: string): void => {
    releaseFile(stand.live);
    const db = openFile(stand.live);
    db.exec(sql);
    db.close();
  };

  /** @param became of the rollout that took the snapshot */
  async function standing(became: "open" | "closed"): Promise<Run> {
    const first = await stand.run(1);
    await sqlite.make(first, DATABASE);
    write("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)");
    const { state } = first;
    const rollout = (epoch: number) => ({
      epoch,
      rollout: `rollout-${epoch}`,
      pins: PINS,
      plan: planned({ kind: "none" }),
      runId: `run-${epoch}`,
      reason: null,
    });
    await state.beginRollout(rollout(1));
    await state.setState(1, "open");
    await state.beginRollout(rollout(2));
    const taken = await state.beginSnapshot(
      { database: DATABASE, name: "before-v2", driver: "backup", epoch: 2, release: "v1", automatic: true },
      (generation) => sqlite.snapshotLocation(first, DATABASE, "before-v2", generation),
    );
    await state.finishSnapshot(taken.id, { ...(await sqlite.takeSnapshot(await stand.run(2), taken, false)), baseline: null });
    await state.setState(2, became);
    write("INSERT INTO orders VALUES (2)");
    return stand.run(3);
  }

  const close = (run: Run) => closeFence(run, { pins: PINS, plan: planned(RESTORE), newWrites: "reject", reason: null });

  test("what was open is open again, and nothing was changed", async () => {
    const run = await standing("open");
    await expect(close(run)).rejects.toThrow(RolloutRefusedError);
    expect((await run.state.lastRollout())?.state).toBe("refused");
    expect(readGateState(gateStateFile(stand.site))?.mode).toBe("open");
  });

  test("what had not opened stays closed: it is not known to be whole. It says so, and goes on when it may", async () => {
    const run = await standing("closed");
    const refused = await close(run).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StepFailedError);
    expect((refused as Error).message).toMatch(
      /^fence: backout:newWrites is "reject" and 1 row of shop was written since \(orders: 1 inserted, 0 updated, 0 deleted\).*\nThe gate stays closed: /,
    );
    expect((await run.state.lastRollout())?.state).toBe("closing");
    expect(readGateState(gateStateFile(stand.site))?.mode).toBe("closed");
    await closeFence(run, { pins: PINS, plan: planned(RESTORE), newWrites: "export", reason: null });
    expect((await run.state.lastRollout())?.state).toBe("closed");
  });

  test.each([
    ["another rollout was begun since", 2, planned(RESTORE), /rollout 2 was begun since/],
    ["the record is not so far", 4, planned(RESTORE), /rollout 2 was begun since/],
    [
      "nobody could look at the data then",
      3,
      { ...planned(RESTORE), assumed: true as const },
      /could not be reached when this was planned/,
    ],
  ])("what was planned for something else is not carried out: %s", async (_why, epoch, plan, told) => {
    const before = await standing("open");
    const run = await stand.run(epoch);
    const refused = await closeFence(run, { pins: PINS, plan, newWrites: "export", reason: null }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RolloutRefusedError);
    expect((refused as Error).message).toMatch(told);
    expect(await before.state.lastRollout()).toMatchObject({ epoch: 2, state: "open", rollout: "rollout-2" });
    expect(await before.state.rollout(epoch)).toEqual(epoch === 2 ? await before.state.lastRollout() : null);
    expect(readGateState(gateStateFile(stand.site))).toBeNull();
  });

  test("what is restored already is not counted once more: what services wrote to it since is no reason to open", async () => {
    const run = await standing("open");
    await closeFence(run, { pins: PINS, plan: planned(RESTORE), newWrites: "export", reason: null });
    await bringData(run, DATABASE, PINS, planOf(RESTORE));
    write("INSERT INTO orders VALUES (3)");
    await close(run);
    expect((await run.state.lastRollout())?.state).toBe("closed");
  });
});
