/** The lock between processes, with many of them: one at a time, whoever is killed, and nobody's end takes away another's. */
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileLock } from "../../processes/file-lock.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "backout-lock-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LOCK = fileURLToPath(new URL("../../processes/file-lock.ts", import.meta.url));

/** Takes the lock again and again; `+` and `-` with its id for each time it is inside. Some die in there. */
const TAKER = `
import { appendFileSync } from "node:fs";
const { fileLock } = await import(process.argv[2]);
const [lock, log, dies] = process.argv.slice(3);
for (let turn = 0; turn < 8; turn++) {
  const held = await fileLock(lock, Infinity, 2);
  appendFileSync(log, "+" + process.pid + "\\n");
  if (dies === "dies" && turn === 4) process.kill(process.pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 1));
  appendFileSync(log, "-" + process.pid + "\\n");
  held.release();
}
`;

test("of many processes exactly one is inside, also after some died in there", { timeout: 120_000 }, async () => {
  const [program, log, lock] = [join(folder, "taker.ts"), join(folder, "log"), join(folder, "held")];
  writeFileSync(program, TAKER);
  appendFileSync(log, "");
  const takers = Array.from({ length: 8 }, (_, index) =>
    spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, LOCK, lock, log, index % 3 === 0 ? "dies" : "lives"], {
      stdio: "ignore",
    }),
  );
  const ended = await Promise.all(
    takers.map((taker) => new Promise<string | number | null>((resolve) => taker.once("close", (code, signal) => resolve(signal ?? code)))),
  );
  expect(ended.filter((how) => how === "SIGKILL")).toHaveLength(3);
  expect(ended.filter((how) => how === 0)).toHaveLength(5);
  const lines = readFileSync(log, "utf8").trim().split("\n");
  let inside: string | null = null;
  let entered = 0;
  for (const [index, line] of lines.entries()) {
    const pid = line.slice(1);
    if (line.startsWith("-")) {
      expect([index, inside]).toEqual([index, pid]);
      inside = null;
      continue;
    }
    // Who died in there never left.
    if (inside !== null) expect(lines.filter((one) => one === `-${inside}`)).toHaveLength(4);
    inside = pid;
    entered++;
  }
  expect(entered).toBe(5 * 8 + 3 * 5);
});

test("a folder that goes with the lock in it: whoever waited has the lock that everybody else sees", async () => {
  const path = join(folder, "gone", "held");
  const first = (await fileLock(path, 0))!;
  const waiting = fileLock(path, 5_000, 5);
  rmSync(join(folder, "gone"), { recursive: true });
  first.release();
  const second = await waiting;
  expect(second).not.toBeNull();
  expect(await fileLock(path, 0)).toBeNull();
  second!.release();
});

test("in one process as well: the second gets it when the first lets go, and a late end takes nothing away", async () => {
  const path = join(folder, "own");
  const first = (await fileLock(path, 0))!;
  expect(await fileLock(path, 0)).toBeNull();
  expect(await fileLock(path, 20, 5)).toBeNull();
  const waiting = fileLock(path, 5_000, 5);
  first.release();
  const second = await waiting;
  expect(second).not.toBeNull();
  expect(await fileLock(path, 0)).toBeNull();
  second!.release();
  (await fileLock(path, 0))!.release();
});
