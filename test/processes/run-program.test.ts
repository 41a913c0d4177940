import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { ProgramNotStartedError, failureOf, runProgram } from "../../processes/run-program.ts";
import { isRunning } from "../../processes/identity.ts";

const folder = mkdtempSync(join(tmpdir(), "backout-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shell = (script: string, change: { timeoutMs?: number; input?: string } = {}) =>
  runProgram({ command: ["/bin/sh", "-c", script], folder, environment: { GIVEN: "a value" }, timeoutMs: 60_000, ...change });

test("output, input, environment and folder are the command's, and nothing of backout's own environment", async () => {
  process.env["BACKOUT_NOT_FOR_COMMANDS"] = "hidden";
  const result = await shell('cat; printf "$GIVEN [$BACKOUT_NOT_FOR_COMMANDS] $PWD"; echo wrong >&2; exit 3', { input: "read " });
  expect(result).toMatchObject({ code: 3, signal: null, timedOut: false, stdout: `read a value [] ${folder}`, stderr: "wrong\n" });
  expect(failureOf(result, 60_000)).toBe("ended with exit code 3");
});

test("one that hangs is ended after its limit with everything it started, even if that ignores SIGTERM", async () => {
  const file = join(folder, "pids");
  const result = await shell(
    `trap '' TERM; sh -c 'trap "" TERM; echo $$ >> ${file}; while :; do sleep 1; done' & echo $$ >> ${file}; wait; wait`,
    {
      timeoutMs: 1_000,
    },
  );
  expect(result.timedOut).toBe(true);
  expect(failureOf(result, 1_000)).toBe("did not end within 1 s and was ended");
  const pids = readFileSync(file, "utf8").trim().split("\n").map(Number);
  expect(pids).toHaveLength(2);
  await vi.waitUntil(() => !pids.some(isRunning), { timeout: 30_000 });
});

test("what it leaves in the background is ended with it, and does not hold it up", async () => {
  const { code, stdout, timedOut } = await shell("sleep 1000 & echo $!");
  expect([code, timedOut]).toEqual([0, false]);
  await vi.waitUntil(() => !isRunning(Number(stdout)), { timeout: 30_000 });
});

test("a program that is not there, and one that is not executable", async () => {
  const run = (command: string[]) => runProgram({ command, folder, environment: {}, timeoutMs: 60_000 });
  await expect(run(["./nowhere"])).rejects.toThrow(ProgramNotStartedError);
  await expect(run(["./nowhere"])).rejects.toThrow("./nowhere: not found");
  await expect(run([import.meta.filename])).rejects.toThrow(/not executable: run `chmod \+x/);
});

test("a program that reads no input, and one that writes much", async () => {
  expect(await shell("exec <&-; exit 0", { input: "x".repeat(1024 * 1024) })).toMatchObject({ code: 0 });
  const { stdout, code } = await shell("head -c 3000000 /dev/zero | tr '\\0' x");
  expect([code, stdout.length]).toEqual([0, 1024 * 1024]);
});
