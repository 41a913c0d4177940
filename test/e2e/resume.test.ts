/** Verbs that are killed with their engine, and typed again: each goes on with what it began, and its goal is what opened last by the record. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stepPoint } from "../../processes/failpoints.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import type { DeployOutcome } from "../../scripts/pulumi/answers.ts";
import type { RollbackOutcome } from "../../scripts/verbs/rollback.ts";
import type { UndoOutcome } from "../../scripts/verbs/undo.ts";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/api.ts";
import { ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

interface Failed {
  error: { name: string; message: string };
}

describe("PostgreSQL", () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await makeStand();
    // One more to go back to: whoever goes too far comes to it.
    const releases = (await import("../../scripts/pulumi/stack.ts")).stackFile(stand.stack.stack, stand.stack.folder);
    const { rawConfig } = await import("../../config/edit.ts");
    const ledger = rawConfig(releases.text)["backout:releases"] as Record<string, unknown>;
    stand.pin([{ path: ["releases"], value: { "v2.9.0": ledger["v3.0.0"], ...ledger } }]);
    await stand.upWell();
    await stand.insertWell("R-1");
  });
  afterAll(() => stand?.destroy());

  const QUICK = ["--scope", "quick", "--yes", "--incident", "INC-1"];

  const PROTECT = (when: "before" | "after"): string => stepPoint("fence", "protect", when);

  test.each([
    "plan.before",
    PROTECT("before"),
    "fence.after",
    stepPoint("start", "backend v3.0.0", "after"),
    "open.after",
    "finalize.before",
  ])("a rollback killed at %s, typed again, goes on with exactly that; once more it is unchanged", async (point) => {
    await stand.upWell(PINS.forward);
    await stand.killVerb(point, "rollback", ...QUICK);
    const again = await stand.verb<RollbackOutcome>("rollback", ...QUICK);
    expect(again.code, again.stderr).toBe(0);
    expect(again.json).toMatchObject({ ok: true, from: "v4.0.0", to: "v3.0.0", scope: "quick" });
    expect(again.stderr).toMatch(/`.*backout.* rollback --scope quick --stack e2e`.*resuming it/);
    expect((await stand.last())!.baseline, "what stood before, not what it led to").toMatchObject({ release: "v4.0.0" });
    const expectThere = async (): Promise<void> => {
      expect(await stand.version()).toBe("v3.0.0");
      expect(stand.text()).toMatch(/backout:release: v3\.0\.0\n/);
      expect(stand.text()).toMatch(/backout:blocked:\n +v4\.0\.0: INC-1\n/);
      expect(stand.gate()?.mode).toBe("open");
    };
    await expectThere();
    const before = { pids: stand.pids(), epoch: (await stand.last())!.epoch, text: stand.text() };
    const third = await stand.verb<RollbackOutcome>("rollback", ...QUICK);
    expect(third.code, third.stderr).toBe(0);
    expect(third.json).toMatchObject({ ok: true, unchanged: true, to: "v3.0.0" });
    expect({ pids: stand.pids(), epoch: (await stand.last())!.epoch, text: stand.text() }).toEqual(before);
    await expectThere();
  });

  test("what runs cannot be gone back to: refused, nothing is stopped", async () => {
    await stand.upWell(PINS.forward);
    const before = { pids: stand.pids(), text: stand.text() };
    const { code, json } = await stand.verb<Failed>("rollback", "--to", "v4.0.0", "--yes");
    expect(code).toBe(3);
    expect(json.error.message).toMatch(/^v4\.0\.0 is what runs: it opened last/);
    expect({ pids: stand.pids(), text: stand.text() }).toEqual(before);
  });

  test("another goal is refused while one is on its way, and says what goes on with it", async () => {
    await stand.killVerb("start.before", "rollback", ...QUICK);
    const other = await stand.verb<Failed>("rollback", "--to", "v2.9.0", "--scope", "restore", "--yes");
    expect(other.code).toBe(3);
    expect(other.json.error.message).toMatch(/rollback --scope quick --stack e2e` is unfinished: .*To resume it, run `.*--anew/);
    const deploy = await stand.verb<Failed>("deploy", "v4.0.0", "--yes");
    expect(deploy.code).toBe(3);
    expect((await stand.verb("rollback", ...QUICK)).code).toBe(0);
    expect(await stand.version()).toBe("v3.0.0");
  });

  test("what an operator sets on the database between an attempt that closed nothing and the next one stays", async () => {
    await stand.upWell(PINS.forward);
    const RESTORE = ["--scope", "restore", "--yes", "--incident", "INC-3"];
    await stand.killVerb(PROTECT("after"), "rollback", ...RESTORE);
    await stand.sql(`ALTER DATABASE ${stand.live} SET work_mem = '6MB'`, [], "postgres");
    const again = await stand.verb<RollbackOutcome>("rollback", ...RESTORE);
    expect(again.code, again.stderr).toBe(0);
    const set = await stand.sql<{ setting: string[] }>(
      "SELECT setconfig AS setting FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = $1 AND setrole = 0",
      [stand.live],
      "postgres",
    );
    expect(set.flatMap(({ setting }) => setting)).toContain("work_mem=6MB");
    await stand.sql(`ALTER DATABASE ${stand.live} RESET work_mem`, [], "postgres");
  });

  test("the undo of a restore: release, data, worker and block as before; and back again", async () => {
    await stand.upWell(PINS.forward);
    await stand.insertWell("U-1");
    const text = stand.text();
    const back = await stand.verb<RollbackOutcome>("rollback", "--scope", "restore", "--yes", "--incident", "INC-2");
    expect(back.code, back.stderr).toBe(0);
    expect(await stand.ids()).not.toContain("U-1");
    expect(stand.pids().worker).toBeNull();
    const restored = stand.text();
    expect(back.json.undo!.command).toMatch(/undo --stack e2e$/);
    expect(back.json.undo!.lines.added).toContain("  backout:release: v4.0.0");

    const undone = await stand.verb<UndoOutcome>("undo", "--yes");
    expect(undone.code, undone.stderr).toBe(0);
    expect(await stand.version()).toBe("v4.0.0");
    expect(await stand.ids()).toContain("U-1");
    expect(stand.pids().worker).not.toBeNull();
    expect(stand.text().replace(/backout:data: .*/, "")).toBe(text.replace(/backout:data: .*/, ""));
    // What it printed is what it did.
    for (const line of back.json.undo!.lines.added) expect(stand.text()).toContain(line);

    expect(await stand.verb<UndoOutcome>("undo", "--yes")).toMatchObject({ code: 0, json: { unchanged: true } });
    await stand.killVerb("plan.before", "undo", "--anew", "--yes");
    const other = await stand.verb<Failed>("rollback", "--scope", "quick", "--yes");
    expect(other.code).toBe(3);
    expect(other.json.error.message).toMatch(/undo --anew --stack e2e` .*To resume it, run/);
    const again = await stand.verb<UndoOutcome>("undo", "--anew", "--yes");
    expect(again.code, again.stderr).toBe(0);
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.ids()).not.toContain("U-1");
    expect(stand.pids().worker).toBeNull();
    expect(stand.text().replace(/backout:data: .*/, "")).toBe(restored.replace(/backout:data: .*/, ""));
  });

  test("a check that there is not is wrong usage, and the verb ends", async () => {
    const { code, json } = await stand.verb<Failed>("verify", "--check", "nope");
    expect(code).toBe(2);
    expect(json.error.message).toMatch(/^check "nope" is not one of/);
  });

  test("rows that are not restored are neither put back nor refused for: wrong usage, and no pin", async () => {
    const text = stand.text();
    for (const newWrites of ["reapply", "reject"])
      expect((await stand.verb("rollback", "--scope", "quick", "--new-writes", newWrites, "--yes", "--anew")).code).toBe(2);
    expect((await stand.verb<Failed>("deploy", "v9.0.0", "--from", "/nonexistent", "--yes")).code).toBe(2);
    expect(stand.text()).toBe(text);
  });

  test("`unblock` says why it was blocked; what is not blocked is unchanged, what there is not is wrong usage", async () => {
    const first = await stand.verb("unblock", "v4.0.0");
    expect(first).toMatchObject({ code: 0, json: { release: "v4.0.0", reason: "INC-2", blocked: {} } });
    expect(stand.text()).not.toContain("INC-2");
    expect(await stand.verb("unblock", "v4.0.0")).toMatchObject({ code: 0, json: { reason: null } });
    expect((await stand.verb("unblock", "v9")).code).toBe(2);
  });

  test("a deployment that loses its provider once it has opened stays: nothing is blocked, and the advised update ends it", async () => {
    const lost = await stand.verbLosingProvider<DeployOutcome>("finalize.before", "deploy", "v4.0.0", "--yes");
    expect(lost.code, lost.stderr).toBe(1);
    expect(lost.json).toMatchObject({ ok: false, rolledBack: null, refused: false, state: "open" });
    expect(lost.json.failure).toMatch(/Users are let in\. .*Run `\S.* up --stack e2e`/);
    expect(stand.text()).not.toContain("backout:blocked");
    expect(await stand.version()).toBe("v4.0.0");
    expect((await stand.verb("status")).json).toMatchObject({
      rollout: { state: "open", unfinished: true },
      pending: { command: expect.stringMatching(/deploy v4\.0\.0 --stack e2e$/) as string },
    });
    expect((await stand.typed("up", "--yes", "--skip-preview")).code).toBe(0);
    expect((await stand.verb("status")).json).toMatchObject({ rollout: { state: "open", unfinished: false }, pending: null });
    expect(await stand.verb("deploy", "v4.0.0", "--yes")).toMatchObject({ code: 0, json: { unchanged: true } });
  });

  test("a restore whose record was not closed, followed by something else: the next update exports what it set aside", async () => {
    await stand.insertWell("N-1");
    const lost = await stand.verbLosingProvider<RollbackOutcome>("finalize.before", "rollback", "--scope", "restore", "--yes");
    expect(lost.json.failure, lost.stderr).toMatch(/Users are let in/);
    const { epoch } = (await stand.last())!;
    await stand.upWell(PINS.forward);
    const exported = (await stand.exports(epoch)).find(({ path }) => /pfa_records[^/]*\.jsonl$/.test(path));
    expect(readFileSync(exported!.path, "utf8")).toContain('"N-1"');
    expect(await stand.state((state) => state.rollout(epoch))).toMatchObject({ recordedAt: expect.any(String) as string });
  });

  test("the undo of a schema that was only marked: its migrations count as applied again, rows written meanwhile stay", async () => {
    await stand.upWell(PINS.forward);
    await stand.insertWell("M-1");
    const text = stand.text();
    const back = await stand.verb<RollbackOutcome>("rollback", "--scope", "full", "--yes", "--incident", "INC-2");
    expect(back.code, back.stderr).toBe(0);
    expect(await stand.version()).toBe("v3.0.0");
    await stand.insertWell("M-2");
    const undone = await stand.verb<UndoOutcome>("undo", "--yes");
    expect(undone.code, undone.stderr).toBe(0);
    expect(await stand.version()).toBe("v4.0.0");
    expect(await stand.ids()).toEqual(expect.arrayContaining(["M-1", "M-2"]));
    expect(stand.text()).toBe(text);
  });

  describe("a deployment whose release is bad", () => {
    const bad = async (version: string): Promise<void> => {
      const folder = makeRelease(stand.folder, {
        from: "v4.0.0",
        version,
        alter: (service, text) => (service === "backend" ? `throw new Error("defect of this build");\n${text}` : text),
      });
      stand.pin([await ledgerEntry(folder, version, SYNC_MIGRATION)]);
    };
    const expectGood = async (...blocked: string[]): Promise<void> => {
      expect(await stand.version()).toBe("v4.0.0");
      expect(stand.gate()?.mode).toBe("open");
      expect(stand.text()).toMatch(/backout:release: v4\.0\.0\n/);
      const found = /backout:blocked:\n((?: {4}.*\n)*)/.exec(stand.text())?.[1] ?? "";
      expect(found.match(/v\d+\.\d+\.\d+(?=: )/g)).toEqual(blocked);
    };
    beforeAll(async () => void (await stand.upWell(PINS.forward)));

    test.each([
      ["v5.0.0", stepPoint("start", "backend v5.0.0", "before")],
      ["v5.1.0", stepPoint("start", "backend v4.0.0", "after")],
      ["v5.2.0", "open.before"],
      ["v5.3.0", "finalize.before"],
    ])("%s killed at %s, typed again: the way back ends at what opened last", async (version, point) => {
      stand.pin([{ path: ["blocked"], value: undefined }]);
      await bad(version);
      await stand.killVerb(point, "deploy", version, "--yes");
      const again = await stand.verb<DeployOutcome>("deploy", version, "--yes");
      expect(again.code, again.stderr).toBe(1);
      expect(again.json.rolledBack, again.stderr).toMatchObject({ ok: true, to: "v4.0.0" });
      await expectGood(version);
      expect((await stand.verb("deploy", version, "--yes")).code).toBe(3);
      await expectGood(version);
    });

    test("left where it failed, and another bad one deployed: back to the good one, never to the first", async () => {
      stand.pin([{ path: ["blocked"], value: undefined }]);
      for (const version of ["v6.0.0", "v6.1.0"]) await bad(version);
      expect((await stand.verb<RolloutOutcome>("deploy", "v6.0.0", "--yes", "--on-failure", "stop")).code).toBe(1);
      const { code, json, stderr } = await stand.verb<DeployOutcome>("deploy", "v6.1.0", "--yes");
      expect(code, stderr).toBe(1);
      expect(stderr).toMatch(/deploy v6\.0\.0 --stack e2e` is unfinished/);
      expect(json.rolledBack, stderr).toMatchObject({ ok: true, to: "v4.0.0" });
      await expectGood("v6.1.0");
    });

    test("left where it failed, `rollback` goes to what opened last, and blocks it", async () => {
      stand.pin([{ path: ["blocked"], value: undefined }]);
      expect((await stand.verb("deploy", "v6.0.0", "--yes", "--on-failure", "stop")).code).toBe(1);
      const { code, json, stderr } = await stand.verb<RollbackOutcome>("rollback", "--yes");
      expect(code, stderr).toBe(0);
      expect(json).toMatchObject({ to: "v4.0.0" });
      await expectGood("v6.0.0");
    });
  });
});

describe("SQLite", () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await makeStand({ system: "orbis-forge", release: "v2.4.0" });
    const deploy = await stand.verb("deploy", "v2.4.0", "--yes");
    expect(deploy.code, deploy.stderr).toBe(0);
  });
  afterAll(() => stand?.destroy());

  test.each(["fence.after", stepPoint("start", "app v2.4.0", "after")])(
    "a rollback killed at %s, typed again, does not go one release too far and does not block the good one",
    async (point) => {
      const deployed = await stand.verb("deploy", "phase-3.0.0", "--yes", "--reason", "test");
      expect(deployed.code, deployed.stderr).toBe(0);
      await stand.killVerb(point, "rollback", "--scope", "application", "--yes");
      const again = await stand.verb<RollbackOutcome>("rollback", "--scope", "application", "--yes");
      expect(again.code, again.stderr).toBe(0);
      expect(again.json).toMatchObject({ from: "phase-3.0.0", to: "v2.4.0" });
      expect(stand.text()).toMatch(/backout:release: v2\.4\.0\n/);
      expect(stand.text()).toMatch(/backout:blocked:\n +phase-3\.0\.0: /);
      expect(await stand.verb("rollback", "--scope", "application", "--yes")).toMatchObject({ code: 0, json: { unchanged: true } });
      expect((await stand.verb("unblock", "phase-3.0.0")).code).toBe(0);
    },
  );
});
