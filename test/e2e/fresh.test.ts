/** The worst case: the rollback failed, and a new environment is made from the snapshot, with a stack, a home and a server of its own. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import type { RollbackOutcome } from "../../scripts/verbs/rollback.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

let stand: Stand;
let ports: Record<string, number>;

beforeAll(async () => {
  const [backend, frontend, upstream, worker, serverPort] = (await takeFreePorts(5)) as [number, number, number, number, number];
  ports = { backend, frontend, "backend-upstream": upstream, worker };
  stand = await makeStand({ edits: [{ path: ["alternatives", "fresh"], value: { fresh: { serverPort }, ports } }] });
});
afterAll(async () => {
  const home = `${stand.stack.home}-fresh`;
  if (existsSync(home)) {
    const { code, output } = await runPulumi({
      project: stand.stack.folder,
      stack: `${stand.stack.stack}-fresh`,
      arguments: ["destroy", "--yes", "--skip-preview"],
      environment: { ...stand.stack.environment, BACKOUT_HOME: home, BACKOUT_DESTROY_DATA: `drop:${stand.stack.stack}-fresh` },
    });
    if (code !== 0) throw new Error(output);
  }
  await stand.destroy();
});

describe("a rollback that failed", () => {
  test("an alternative is refused while nothing has failed, and for a name nobody declared", async () => {
    await stand.upWell();
    await stand.insertWell("BEFORE-1", "BEFORE-2");
    await stand.upWell([...PINS.forward]);
    await stand.untilStandby();
    await stand.insertWell("SINCE-1");
    // What the snapshot's ledger of migrations says is on record: the plan judges its schema without opening it.
    const recorded = (await stand.snapshots()).at(-1)?.baseline?.migrations?.["pfa"];
    expect(recorded).toEqual({
      applied: ["20250601000001_initial", "20250915000002_forecast_window"],
      unfinished: [],
      unknown: [],
      head: "20250915000002_forecast_window",
    });
    const early = await stand.verb<{ error: { message: string } }>("rollback", "--alternative", "fresh", "--yes");
    expect(early).toMatchObject({
      code: 3,
      json: { error: { message: expect.stringMatching(/there is no failed rollback to finish/) as string } },
    });
    const unknown = await stand.verb<{ error: { message: string } }>("rollback", "--alternative", "fesh", "--yes");
    expect(unknown).toMatchObject({
      code: 2,
      json: { error: { message: expect.stringMatching(/not one of fresh \(did you mean `fresh`\?\)/) as string } },
    });
  });

  test("a fresh environment serves the data of the snapshot, and the one that failed is left closed", async () => {
    await stand.interrupt("start.before", "provider", PINS.restore("before-v4.0.0@1"));
    const { code, json, stderr } = await stand.verb<RollbackOutcome>(
      "rollback",
      "--alternative",
      "fresh",
      "--yes",
      "--reason",
      "nothing helps",
    );
    expect({ code, said: code === 0 ? "" : stderr + JSON.stringify(json) }).toEqual({ code: 0, said: "" });
    expect(json).toMatchObject({ ok: true, state: "open", to: "v3.0.0" });
    expect(json.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(stderr).toMatch(/rows of pfa copied from before-v4\.0\.0@1 and compared: identical/);
    const health = await fetch(`http://127.0.0.1:${ports["backend"]}/health`);
    expect(await health.json()).toMatchObject({ status: "healthy", version: "v3.0.0" });
    expect(stand.gate()?.mode).toBe("closed");
    // What users wrote since is where it was: in the environment that failed.
    const [quarantine] = await stand.quarantines();
    const kept = await stand.inside<{ pfa_id: string }>(quarantine!.name, "SELECT pfa_id FROM pfa_records ORDER BY 1");
    expect(kept.map(({ pfa_id }) => pfa_id)).toEqual(["BEFORE-1", "BEFORE-2", "SINCE-1"]);
    const again = await stand.verb<{ error: { message: string } }>("rollback", "--alternative", "fresh", "--yes");
    expect(again.json.error.message).toMatch(/exists already: a fresh environment needs both names free/);
  });
});
