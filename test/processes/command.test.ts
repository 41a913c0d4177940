/** A user's command: its output, its failure, and that nothing of it outlives the run. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandFailedError, endCommands, missingProgram, runCommand } from "../../processes/command.ts";
import { isRunning } from "../../processes/identity.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-command-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const spec = (command: string, more: object = {}) => ({ command, folder, environment: {}, marker: folder, secrets: [], ...more });

async function pidIn(file: string): Promise<number> {
  for (;;) {
    try {
      const pid = Number(readFileSync(join(folder, file), "utf8"));
      if (pid > 0) return pid;
    } catch {
      // Not yet.
    }
    await sleep(20);
  }
}

describe("a command that fails", () => {
  it("its exit code and the end of its output are in the message", async () => {
    const failing = runCommand(spec("echo first; echo 'Target database is not up to date.' >&2; exit 3"));
    await expect(failing).rejects.toThrow(CommandFailedError);
    await expect(failing).rejects.toMatchObject({ exitCode: 3 });
    await expect(failing).rejects.toThrow(/exit code 3: .*Target database is not up to date\./);
  });

  it("a program that is not there, and silence", async () => {
    await expect(runCommand(spec("no-such-program-here"))).rejects.toThrow(/exit code 127: .*not found/);
    await expect(runCommand(spec("exit 1"))).rejects.toThrow("wrote nothing");
  });
});

it("secrets are in no line; what backout keeps to itself is not in its environment", async () => {
  process.env["BACKOUT_SECRET_X"] = "kept";
  const told: string[] = [];
  const environment = { DATABASE_URL: "postgresql://u:p4ss@h/d" };
  const lines = await runCommand(
    spec('echo "$DATABASE_URL"; env', { environment, secrets: ["p4ss"], onLine: (line: string) => told.push(line) }),
  );
  delete process.env["BACKOUT_SECRET_X"];
  expect(lines[0]).toBe("postgresql://u:***@h/d");
  expect(told).toEqual(lines);
  expect(lines.join("\n")).not.toMatch(/p4ss|kept/);
});

it("a program that is not there is known beforehand, where a line names it in plain words", () => {
  mkdirSync(join(folder, "api"));
  writeFileSync(join(folder, "api", "up.sh"), "", { mode: 0o755 });
  for (const missing of [
    "no-such-tool",
    "no-such-tool up",
    "cd api && no-such-tool upgrade $BACKOUT_SCHEMA",
    "cd api&&cd .. && cd api && ./down.sh; true",
    'no-such-tool "a b"',
    "no-such-tool&",
    "./up.sh",
  ])
    expect(missingProgram(missing, folder), missing).toMatch(/"(?:no-such-tool|\.\/down\.sh|\.\/up\.sh)" not found/);
  for (const fine of [
    "cd api && ./up.sh $BACKOUT_SCHEMA",
    "cd api&&./up.sh",
    // What stands further on may be made before it.
    "cp api/up.sh made && ./made",
    "true && no-such-tool",
    "no-such-tool -v || sh up.sh",
    "no-such-tool | tee log",
    "sh -c 'no-such-tool; no-such-tool'",
    "PATH=/elsewhere no-such-tool",
    "export PATH=/elsewhere && no-such-tool",
    "if true; then no-such-tool; fi",
    "no-such-tool () { true; }; no-such-tool",
    "no-such-tool() { true; }; no-such-tool",
    "$TOOL up",
    "cd -- api && ./up.sh",
    "cd - && ./up.sh",
    "cd a*i && ./up.sh",
    'cd "api" && ./up.sh',
    "sh -c true || exit 1",
    "exit 0",
    "read line",
    ". ./settings && no-such-tool",
    "alias up=sh",
    "# no-such-tool",
    "",
  ])
    expect(missingProgram(fine, folder), fine).toBeNull();
});

it("it runs in the folder, and only the end of a long output is kept", async () => {
  expect(await runCommand(spec("pwd"))).toEqual([folder]);
  expect(await runCommand(spec("seq 1 1000"))).toHaveLength(200);
});

it("an interrupted run ends it with all of its group", async () => {
  const running = runCommand(spec("sleep 600 & echo $! > child; wait"));
  const child = await pidIn("child");
  endCommands();
  await expect(running).rejects.toThrow("SIGKILL");
  expect(isRunning(child)).toBe(false);
});

it("what it leaves in the background is ended with it", async () => {
  await runCommand(spec("sleep 600 & echo $! > child"));
  expect(isRunning(await pidIn("child"))).toBe(false);
});

it("one that a killed run left is ended before the same work begins again", async () => {
  // Its starter is gone without a word.
  const { spawn } = await import("node:child_process");
  spawn("/bin/sh", ["-c", "echo $$ > orphan; sleep 600"], {
    cwd: folder,
    detached: true,
    stdio: "ignore",
    env: { ...process.env, BACKOUT_COMMAND: folder },
  }).unref();
  const orphan = await pidIn("orphan");
  expect(await runCommand(spec("echo again"))).toEqual(["again"]);
  expect(isRunning(orphan)).toBe(false);
});
