/** What a dead drill leaves is found by looking, and removed; what runs or was kept on purpose is not touched. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { beginRecord, drillsFolder, knownDrills, updateRecord, type DrillRecord } from "../../drill/record.ts";
import { foldersOf, ownProcesses, remains, removeFinished, removeLeftovers } from "../../drill/remove.ts";
import { isAlive, lookUp } from "../../processes/identity.ts";
import { startProcess } from "../../processes/process.ts";

let project: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "drill-left-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(project, { recursive: true, force: true });
});

const drill = { system: "shop", stack: "drill-1" };

/** As if its runner had been another process, which is gone. */
function orphan(folder: string): void {
  const file = join(folder, "drill.json");
  const record = JSON.parse(readFileSync(file, "utf8")) as DrillRecord;
  writeFileSync(file, JSON.stringify({ ...record, startTime: `${record.startTime}0` }));
}

async function sleeper(environment: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => {}, 1000)"], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

test("a folder shows with its record, and tells who runs it", () => {
  const folder = beginRecord(project, { runId: "one", ...drill });
  updateRecord(folder, { phase: "seed" });
  expect(knownDrills(project)).toMatchObject([{ folder, running: true, record: { pid: process.pid, phase: "seed", kept: false } }]);
  orphan(folder);
  expect(knownDrills(project)).toMatchObject([{ running: false }]);
  expect(knownDrills(join(project, "nowhere"))).toEqual([]);
});

test("workers and processes of a dead drill are ended, others are not", async () => {
  const folder = beginRecord(project, { runId: "dead", ...drill });
  const { home } = foldersOf(folder);
  const worker = await sleeper({ BACKOUT_HOME: home });
  const stranger = await sleeper({ BACKOUT_HOME: `${home}-of-somebody-else` });
  const { record } = await startProcess(ownProcesses(folder), {
    name: "witness",
    folder,
    command: [process.execPath, "-e", "setInterval(() => {}, 1000)"],
    environment: {},
    release: "1",
    configHash: "",
    port: null,
  });
  orphan(folder);
  expect(remains(folder)).toEqual([`process ${worker.pid}`, `witness (pid ${record.pid})`]);
  const said: string[] = [];
  expect(await removeLeftovers(project, (line) => void said.push(line))).toEqual(["dead"]);
  expect(said.join()).toMatch(/dead ended without cleaning up \(prepare\): removed process \d+, witness \(pid \d+\), its folder/);
  expect(lookUp(worker.pid!)).toBeNull();
  expect(isAlive(record)).toBe(false);
  expect(lookUp(stranger.pid!)).not.toBeNull();
  expect(existsSync(folder)).toBe(false);
  expect(await removeLeftovers(project, () => undefined)).toEqual([]);
});

test("running drills stay, kept ones until they are asked for, damaged ones go", async () => {
  beginRecord(project, { runId: "running", ...drill });
  const kept = beginRecord(project, { runId: "kept", ...drill });
  updateRecord(kept, { kept: true });
  orphan(kept);
  mkdirSync(join(drillsFolder(project), "damaged"));
  expect(await removeLeftovers(project, () => undefined)).toEqual([join(drillsFolder(project), "damaged")]);
  expect(await removeFinished(project, () => undefined)).toEqual(["kept"]);
  expect(knownDrills(project).map(({ record }) => record?.runId)).toEqual(["running"]);
});
