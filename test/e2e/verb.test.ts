/** `backout rollback` itself is killed, interrupted, left by its terminal, loses its database, or is asked at a terminal. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import { findExecutables } from "../../scripts/pulumi/find-executable.ts";
import { isRunning } from "../../processes/identity.ts";
import type { PreviewOutcome } from "../../scripts/pulumi/preview.ts";
import { makeStand, PINS, PROJECT, until, type Stand } from "./stand.ts";

const PROGRAM = [process.execPath, "--disable-warning=ExperimentalWarning", join(PROJECT, "scripts", "backout.ts")];
const BACK = ["rollback", "--to", "v3.0.0", "--scope", "restore", "--incident", "INC-3"];

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
  await stand.upWell();
});
afterAll(() => stand?.destroy());

/** A rollback that stands at a failpoint. */
const held = (point: string) => stand.holdVerb(point, BACK[0]!, ...BACK.slice(1), "--yes");

const back = () => stand.verb<RolloutOutcome>(BACK[0]!, ...BACK.slice(1), "--yes");

/** Where every rollback of this file has to end, whatever happened to the one before. */
async function expectBack(): Promise<void> {
  expect(await stand.version()).toBe("v3.0.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.last()).toMatchObject({ state: "open", failure: null });
  expect((await stand.lineage()).snapshot?.name).toBe("before-v4.0.0");
  expect(stand.text()).toMatch(/backout:blocked:\n +v4\.0\.0: INC-3\n/);
  expect(existsSync(join(stand.stack.home, "lock.json"))).toBe(false);
}

/** The same command again ends where it should have ended. */
async function expectGoesOn(): Promise<void> {
  const again = await back();
  expect(again.code, again.stderr).toBe(0);
  await expectBack();
}

describe("a rollback by its command", () => {
  beforeEach(async () => void (await stand.upWell(PINS.forward)));

  test("its database dies: the pins stay, it says what is true, and the same command goes on", async () => {
    const { goOn } = await held("data.after");
    process.kill(stand.pids().server!, "SIGKILL");
    const { code, stdout, stderr } = await goOn();
    expect(code, stderr).toBe(1);
    const outcome = JSON.parse(stdout) as RolloutOutcome;
    expect(outcome).toMatchObject({ ok: false, refused: false, from: "v4.0.0", to: "v3.0.0", scope: "restore" });
    expect(outcome.failure).toMatch(/The gate stays closed|Users are kept out now \(the gate is closed\)/);
    expect(outcome.failure).toMatch(/[rR]un `\S.* up --stack e2e`/);
    expect(stand.gate()?.mode).toBe("closed");
    expect(stand.text()).toMatch(/backout:release: v3\.0\.0\n/);
    await expectGoesOn();
  });

  test("Ctrl-C: what is under way ends, it says that users are out and what to run, and the same command goes on", async () => {
    const { running, goOn } = await held("data.before");
    running.kill("SIGINT");
    const { code, stdout, stderr } = await goOn();
    expect(code, stderr).toBe(1);
    const outcome = JSON.parse(stdout) as RolloutOutcome;
    expect(outcome.refused).toBe(false);
    expect(outcome.failure).toMatch(/Users are kept out now \(the gate is closed\)\. Run `\S.* up --stack e2e`/);
    expect(stand.gate()?.mode).toBe("closed");
    await expectGoesOn();
  });

  test("its terminal goes away: it is carried through", async () => {
    const { running, goOn } = await held("data.before");
    running.kill("SIGHUP");
    const { code, stdout, stderr } = await goOn();
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, to: "v3.0.0" });
    await expectBack();
  });

  test("SIGKILL: its lock is taken over, and the same command goes on", async () => {
    const { running, provider, goOn } = await held("data.before");
    running.kill("SIGKILL");
    await until("the verb is gone", () => !isRunning(running.pid!));
    const meanwhile = await back();
    // The update it started is still at work: the second is refused, or waits for the lock in the database.
    await goOn().catch(() => undefined);
    await until("the update of the killed verb has ended", () => !isRunning(provider));
    expect(meanwhile.code, meanwhile.stderr).toBe(3);
    const again = await back();
    expect(again.code, again.stderr).toBe(0);
    expect(meanwhile.stderr).toMatch(/the lock of pid \d+ \(rollback for INC-3\) is taken over: that process is dead/);
    await expectBack();
  });
});

const [script] = await findExecutables("script");

describe("asked at a terminal", () => {
  beforeAll(async () => void (await stand.upWell(PINS.forward)));
  beforeEach((context) => context.skip(script === undefined, "`script` of util-linux, which makes a terminal, is not here"));

  /** Runs the rollback at a terminal of its own, and types when it asks. */
  async function typed(keys: string): Promise<{ code: number | null; shown: string }> {
    const command = [...PROGRAM, ...BACK, "--stack", stand.stack.stack].map((word) => `'${word}'`).join(" ");
    const terminal = spawn(script!, ["--quiet", "--return", "--command", command, "/dev/null"], {
      cwd: stand.stack.folder,
      env: { ...process.env, ...stand.stack.environment, TERM: "dumb" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let shown = "";
    let asked = false;
    terminal.stdout.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
      if (asked || !shown.includes("Type yes:")) return;
      asked = true;
      terminal.stdin.write(keys);
    });
    const code = await new Promise<number | null>((resolve) => terminal.once("close", resolve));
    expect(asked, shown).toBe(true);
    return { code, shown };
  }

  test.each([
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
    ["anything but yes or y", "no\r"],
  ])("%s: not confirmed, nothing was changed, and no lock is left", async (_, keys) => {
    const text = stand.text();
    const pids = stand.pids();
    const { code, shown } = await typed(keys);
    expect(code, shown).toBe(3);
    expect(shown).toContain("not confirmed; nothing was changed");
    expect(stand.text()).toBe(text);
    expect(stand.pids()).toEqual(pids);
    expect(existsSync(join(stand.stack.home, "lock.json"))).toBe(false);
  });

  test("y, or yes: it is carried out", async () => {
    const { code, shown } = await typed("y\r");
    expect(code, shown).toBe(0);
    await expectBack();
  });
});

test("what would be refused ends a preview with 3, and says why", async () => {
  const { code, json } = await stand.verb<{ refused: string[] }>(
    "preview",
    "--scope",
    "restore",
    "--to",
    "v3.0.0",
    "--snapshot",
    "before-v4.0.0@99",
  );
  expect(code).toBe(3);
  expect(json.refused.join()).toContain("before-v4.0.0@99");
});

describe("its server is dead", () => {
  const starts = /the embedded server is down, `\S.* up --stack e2e` starts it/;
  beforeAll(async () => {
    await stand.upWell(PINS.forward);
    process.kill(stand.pids().server!, "SIGKILL");
    await until("the server is gone", () => stand.pids().server === null);
  });

  test("verbs that only look say what starts it", async () => {
    for (const verb of ["verify", "history", "watch"]) {
      const { code, json } = await stand.verb<{ error: { message: string } }>(verb);
      expect([verb, code]).toEqual([verb, 1]);
      expect(json.error.message).toMatch(starts);
    }
    expect(await stand.verb("status")).toMatchObject({
      code: 0,
      json: { reached: false, reason: expect.stringMatching(starts) as string },
    });
  });

  test("a preview of a scope shows its pins, and says what is not known", async () => {
    const text = stand.text();
    const { code, json } = await stand.verb<PreviewOutcome>("preview", "--scope", "restore");
    expect(code).toBe(0);
    expect(json).toMatchObject({ reached: false, unknown: expect.stringMatching(starts) as string, refused: [], preview: null });
    expect(json.lines.added).toEqual(expect.arrayContaining(["  backout:release: v3.0.0", "  backout:data: before-v4.0.0"]));
    expect(stand.text()).toBe(text);
    expect(stand.pids().server).toBeNull();
  });

  test("and so it does", async () => {
    expect((await stand.upWell()).counts).toMatchObject({ updated: 1 });
    expect((await stand.verb("verify")).code).toBe(0);
  });
});

test("where nothing changes a preview says so, and what does not run, the gate as well; an update starts it", async () => {
  const previewed = async () => (await stand.verb<PreviewOutcome>("preview")).json;
  expect(await previewed()).toMatchObject({ reached: true, settled: true, drifted: [], refused: [], preview: null });
  for (const name of ["gate", "worker"] as const) {
    process.kill(stand.pids()[name]!, "SIGKILL");
    await until(`${name} is gone`, () => stand.pids()[name] === null);
  }
  expect(await stand.verb("status")).toMatchObject({ json: { gate: { mode: "open", running: false } } });
  expect((await previewed()).drifted).toEqual([
    expect.stringMatching(/^the traffic gate does not run/) as string,
    expect.stringMatching(/^worker does not run as pinned/) as string,
  ]);
  expect((await stand.upWell()).counts).toMatchObject({ updated: 2 });
  expect((await previewed()).drifted).toEqual([]);
  expect(await stand.verb("status")).toMatchObject({ json: { gate: { mode: "open", running: true } } });
});

test("a deployment leaves pinned flags as they are, and says so", async () => {
  stand.pin([{ path: ["flags", "csv_export"], value: true }]);
  const { code, stderr } = await stand.verb("deploy", "v4.0.0", "--yes");
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("flag csv_export stays on, as pinned under backout:flags");
  expect(stand.text()).toMatch(/backout:flags:\n +csv_export: true\n/);
});
