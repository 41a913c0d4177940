import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive, lookUp, parseStat } from "../../processes/identity.ts";
import {
  AnotherRunningError,
  NeverHealthyError,
  PortTakenError,
  StartError,
  StillRunningError,
  confirmStopped,
  errorLines,
  observeProcess,
  runningNames,
  startProcess,
  stopProcess,
  waitHealthy,
  waitProcessHealthy,
} from "../../processes/process.ts";
import { endLater, newFolder, program, startGroup, until } from "./machine.ts";
import { freePort } from "../support/free-port.ts";

const IDLE = `setInterval(() => {}, 1000); console.error("ready");`;
const STUBBORN = `process.on("SIGTERM", () => console.error("no")); ${IDLE}`;
const SERVICE = `
  import { createServer } from "node:http";
  createServer((_, response) => response.end("fine " + process.env.GREETING)).listen(Number(process.env.PORT), "127.0.0.1");`;

const ready = (folder: string) => until(() => errorLines(folder, "service", 5).includes("ready"));
const recordFile = (folder: string) => join(folder, "service.json");

test("a process that ignores SIGTERM is killed, and gone when stop returns", async () => {
  const folder = newFolder();
  const { record } = await startProcess(folder, program(folder, STUBBORN));
  await ready(folder);
  expect(await stopProcess(folder, "service", 100)).toMatchObject({ how: "killed", pid: record.pid });
  expect(isAlive(record)).toBe(false);
  expect(errorLines(folder, "service", 5)).toContain("no");
});

test("a process that obeys is terminated with its children, and a second stop says so", async () => {
  const folder = newFolder();
  const parent = `import { spawn } from "node:child_process";
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    console.error("child " + child.pid); ${IDLE}`;
  const { record } = await startProcess(folder, program(folder, parent));
  await ready(folder);
  const child = Number(errorLines(folder, "service", 5)[0]?.split(" ")[1]);
  expect(lookUp(child)?.group).toBe(record.pid);
  expect(await stopProcess(folder, "service", 5_000)).toMatchObject({ how: "terminated", pid: record.pid });
  expect(lookUp(child)).toBeNull();
  expect(await stopProcess(folder, "service", 5_000)).toEqual({ how: "already stopped", pid: record.pid, waitedMs: 0 });
  expect(() => confirmStopped(folder, ["service", "never-started"])).not.toThrow();
});

test("a child that outlives its killed leader is an orphan: not confirmed as stopped, and ended by stop", async () => {
  const folder = newFolder();
  const parent = `import { spawn } from "node:child_process";
    spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" }); ${IDLE}`;
  const { record } = await startProcess(folder, program(folder, parent));
  await ready(folder);
  process.kill(record.pid, "SIGKILL");
  await until(() => !isAlive(record));
  const seen = observeProcess(folder, "service");
  expect(seen).toMatchObject({ running: false, pid: null, release: null });
  expect(seen.orphans).toHaveLength(1);
  expect(() => confirmStopped(folder, ["service"])).toThrow(StillRunningError);
  expect(await stopProcess(folder, "service", 2_000)).toMatchObject({ how: "terminated", pid: seen.orphans[0]?.pid });
  expect(observeProcess(folder, "service").orphans).toEqual([]);
});

test("a pid that belongs to somebody else by now is neither running nor signalled", async () => {
  const folder = newFolder();
  const stranger = spawn(process.execPath, ["-e", IDLE], { detached: true, stdio: "ignore" });
  const pid = endLater(stranger.pid ?? 0);
  // Start times are counted in hundredths of a second; two pids may share one, one pid never has the same twice.
  await new Promise((resolve) => setTimeout(resolve, 40));
  const { record } = await startProcess(folder, program(folder, IDLE));
  expect(lookUp(pid)?.startTime).not.toBe(record.startTime);
  await stopProcess(folder, "service", 2_000);
  writeFileSync(recordFile(folder), JSON.stringify({ ...record, pid }));
  expect(observeProcess(folder, "service").running).toBe(false);
  expect(await stopProcess(folder, "service", 100)).toMatchObject({ how: "already stopped" });
  expect(lookUp(pid)?.pid).toBe(pid);
  const again = await startProcess(folder, program(folder, IDLE));
  expect(again.state).toBe("started");
  expect(lookUp(pid)?.pid).toBe(pid);
});

test("an orphan without record is found by its marker and ended before another is started", async () => {
  const folder = newFolder();
  const first = await startProcess(folder, program(folder, STUBBORN));
  rmSync(recordFile(folder));
  const seen = observeProcess(folder, "service");
  expect(seen).toMatchObject({ running: false, record: null, orphans: [{ pid: first.record.pid }] });
  expect(isAlive(first.record)).toBe(true);
  expect(runningNames(folder)).toEqual(["service"]);
  const second = await startProcess(folder, program(folder, IDLE));
  expect(second.state).toBe("started");
  expect(isAlive(first.record)).toBe(false);
  expect(observeProcess(folder, "service")).toMatchObject({ running: true, pid: second.record.pid, orphans: [] });
});

test("a damaged record is no record", async () => {
  const folder = newFolder();
  const { record } = await startProcess(folder, program(folder, IDLE));
  writeFileSync(recordFile(folder), readFileSync(recordFile(folder), "utf8").slice(0, 40));
  expect(observeProcess(folder, "service")).toMatchObject({ running: false, record: null, orphans: [{ pid: record.pid }] });
  await stopProcess(folder, "service", 2_000);
  expect(isAlive(record)).toBe(false);
});

test("it survives its starter, killed with its whole process group", async () => {
  const folder = newFolder();
  const spec = program(folder, IDLE);
  const module = new URL("../../processes/process.ts", import.meta.url).href;
  const starter = startGroup(`import { startProcess } from ${JSON.stringify(module)};
    const { record } = await startProcess(${JSON.stringify(folder)}, ${JSON.stringify(spec)});
    console.log(record.pid); setInterval(() => {}, 1000);`);
  const pid = Number(await starter.output);
  process.kill(-starter.pid, "SIGKILL");
  await until(() => lookUp(starter.pid) === null);
  expect(observeProcess(folder, "service")).toMatchObject({ running: true, pid, release: "v1", configHash: "a", orphans: [] });
  expect(await startProcess(folder, spec)).toMatchObject({ state: "already", record: { pid } });
});

test("the same again is unchanged; another release or configuration is refused until it is stopped", async () => {
  const folder = newFolder();
  const { record } = await startProcess(folder, program(folder, IDLE));
  expect(await startProcess(folder, program(folder, IDLE))).toEqual({ state: "already", record });
  await expect(startProcess(folder, program(folder, IDLE, { release: "v2" }))).rejects.toThrow(AnotherRunningError);
  await expect(startProcess(folder, program(folder, IDLE, { configHash: "b" }))).rejects.toThrow(/another configuration.*stop it/);
  expect(() => confirmStopped(folder, ["service"])).toThrow(`"service" (pid ${record.pid})`);
});

test("what cannot be started says what and where, and leaves nothing running", async () => {
  const folder = newFolder();
  await expect(startProcess(folder, program(folder, IDLE, { command: ["/nowhere/at-all"] }))).rejects.toThrow(StartError);
  await expect(startProcess(folder, program(folder, IDLE, { folder: "/nowhere" }))).rejects.toThrow(/\/nowhere: the folder does not exist/);
  await expect(startProcess(folder, program(folder, IDLE, { name: "../x" }))).rejects.toThrow(/cannot name a process/);
  expect(runningNames(folder)).toEqual([]);
  const server = createServer().listen(0, "127.0.0.1");
  const port = await until(() => (server.address() as { port: number } | null)?.port);
  const refused = startProcess(folder, program(folder, IDLE, { port }));
  await expect(refused).rejects.toThrow(PortTakenError);
  await expect(refused).rejects.toMatchObject({ port, holder: process.pid });
  server.close();
});

test("a process that dies at once is told apart, with its exit code and its error log", async () => {
  const folder = newFolder();
  const port = await freePort();
  await startProcess(folder, program(folder, `console.error("no database"); process.exit(7);`, { port }));
  const failed = waitProcessHealthy(folder, "service", { url: `http://127.0.0.1:${port}/`, timeoutMs: 60_000 });
  await expect(failed).rejects.toThrow(NeverHealthyError);
  await expect(failed).rejects.toMatchObject({ alive: false, exit: { code: 7, signal: null }, errors: ["no database"] });
  await expect(failed).rejects.toThrow(/ended with code 7[\s\S]*no database/);
});

test("a process that answered, but not well, is not told its port", async () => {
  const folder = newFolder();
  await startProcess(folder, program(folder, IDLE, {}));
  const wait = (answer: string) =>
    waitProcessHealthy(folder, "service", { check: () => Promise.resolve({ healthy: false, answer }), timeoutMs: 0, port: 4 });
  await expect(wait("404 not found")).rejects.not.toThrow("PORT=");
  await expect(wait("connect ECONNREFUSED 127.0.0.1:4")).rejects.toThrow(
    /; last answer: connect ECONNREFUSED 127.0.0.1:4; it was to listen on PORT=4; /,
  );
});

test("a process that never gets healthy is told with its last answer", async () => {
  const folder = newFolder();
  const port = await freePort();
  await startProcess(folder, program(folder, SERVICE, { port, environment: { PORT: String(port), GREETING: "enough" } }));
  const url = `http://127.0.0.1:${port}/health`;
  expect(await waitProcessHealthy(folder, "service", { url, body: "fine enough", timeoutMs: 60_000 })).toMatchObject({
    answer: "200 fine enough",
  });
  const failed = waitProcessHealthy(folder, "service", { url, body: "perfect", timeoutMs: 150 });
  await expect(failed).rejects.toMatchObject({ alive: true, exit: null, lastAnswer: "200 fine enough" });
});

test("an answer is not health while the process is dead", async () => {
  const alive = [true, false, false];
  const check = () => Promise.resolve({ healthy: true, answer: "200 somebody else" });
  const failed = waitHealthy({ name: "service", check, timeoutMs: 60_000, isAlive: () => alive.shift() ?? false });
  await expect(failed).rejects.toMatchObject({ alive: false, lastAnswer: "200 somebody else" });
});

test("a zombie is not running", async () => {
  // A shell that does not collect its child: the child is killed, and stays in the process table.
  const shell = spawn("/bin/sh", ["-c", `"${process.execPath}" -e "setInterval(() => {}, 1000)" & echo $!; exec sleep 1000`], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  endLater(shell.pid ?? 0);
  const pid = await new Promise<number>((resolve) => shell.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))));
  endLater(pid);
  await until(() => readFileSync(`/proc/${shell.pid}/comm`, "utf8").trim() === "sleep");
  process.kill(pid, "SIGKILL");
  await until(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "));
  expect(lookUp(pid)).toBeNull();
});

test("the process table is read right whatever a program is called", () => {
  const line = "42 (a) Z (b) S 7 42 42 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 98765 1 1";
  expect(parseStat(line, "boot")).toEqual({ pid: 42, parent: 7, group: 42, startTime: "boot/98765" });
  expect(parseStat(line.replace(") S", ") Z"), "boot")).toBeNull();
  expect(parseStat("", "boot")).toBeNull();
});

test("values of the environment are in no file and no argument; the starter's own variables are not handed on", async () => {
  const folder = newFolder();
  process.env["STARTER_ONLY"] = "s3cret-of-the-starter";
  try {
    const { record } = await startProcess(folder, program(folder, IDLE, { environment: { PASSWORD: "s3cret-value" } }));
    expect(readFileSync(`/proc/${record.pid}/environ`, "utf8")).toContain("PASSWORD=s3cret-value");
    expect(readFileSync(`/proc/${record.pid}/environ`, "utf8")).not.toContain("STARTER_ONLY");
    expect(readFileSync(`/proc/${record.pid}/cmdline`, "utf8")).not.toContain("s3cret");
    for (const file of readdirSync(folder).filter((each) => each !== "program")) {
      expect(readFileSync(join(folder, file), "utf8")).not.toContain("s3cret");
      expect(statSync(join(folder, file)).mode & 0o077).toBe(0);
    }
  } finally {
    delete process.env["STARTER_ONLY"];
  }
});

test("error lines are those since the last start, from the end, also where the log is long", async () => {
  const folder = newFolder();
  const errorFile = join(folder, "service.err.log");
  await startProcess(folder, program(folder, `console.error("first life"); ${IDLE}`));
  await ready(folder);
  await stopProcess(folder, "service", 2_000);
  await startProcess(folder, program(folder, IDLE, { release: "v2" }));
  await ready(folder);
  expect(errorLines(folder, "service", 100)).toEqual(["ready"]);
  appendFileSync(errorFile, Array.from({ length: 30_000 }, (_, index) => `line ${index} ä\n`).join(""));
  expect(errorLines(folder, "service", 2)).toEqual(["line 29998 ä", "line 29999 ä"]);
  expect(errorLines(folder, "service", 100_000)).toHaveLength(30_001);
  expect(errorLines(folder, "service", 0)).toEqual([]);
  writeFileSync(errorFile, "truncated\n");
  expect(errorLines(folder, "service", 5)).toEqual(["truncated"]);
});

test("a log that is too long when its process starts is put aside", async () => {
  const folder = newFolder();
  const errorFile = join(folder, "service.err.log");
  writeFileSync(errorFile, "x".repeat(10 * 1024 * 1024 + 1));
  await startProcess(folder, program(folder, IDLE));
  await ready(folder);
  expect(readFileSync(errorFile, "utf8")).toBe("ready\n");
  expect(existsSync(`${errorFile}.1`)).toBe(true);
});
