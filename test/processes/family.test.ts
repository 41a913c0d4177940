/** Programs with children: everything that a service started is stopped with it, and confirmed to be, as far as it can be known. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive, lookUp } from "../../processes/identity.ts";
import { confirmStopped, observeProcess, startProcess, StillRunningError, stopProcess, type ProcessSpec } from "../../processes/process.ts";
import { freePort } from "../support/free-port.ts";
import { endLater, newFolder, until } from "./machine.ts";

/** A shell script as a service. */
function shell(folder: string, text: string, changes: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    name: "service",
    folder,
    command: ["/bin/sh", "-c", text],
    environment: {},
    release: "v1",
    configHash: "a",
    port: null,
    ...changes,
  };
}
const log = (folder: string): string => readFileSync(join(folder, "service.out.log"), "utf8");
/** The number that the script printed as `<name> <pid>`. */
const printed = async (folder: string, name: string): Promise<number> =>
  endLater(Number((await until(() => new RegExp(`^${name} (\\d+)$`, "m").exec(log(folder))))[1]));

test("a shell wrapper around a Python server is stopped with the server, and its port is free", async (context) => {
  if (spawnSync("python3", ["--version"]).status !== 0) return context.skip("no python3 on this machine");
  const folder = newFolder();
  const port = await freePort();
  const { record } = await startProcess(
    folder,
    shell(folder, `python3 -m http.server ${port} --bind 127.0.0.1 & echo server $!; wait`, { port }),
  );
  const server = await printed(folder, "server");
  await until(() =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  expect(await stopProcess(folder, "service", 20_000)).toMatchObject({ how: "terminated", pid: record.pid });
  expect([isAlive(record), lookUp(server)]).toEqual([false, null]);
  confirmStopped(folder, ["service"]);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

test("a shell that traps TERM and lets its child go on is killed with the child", async () => {
  const folder = newFolder();
  await startProcess(
    folder,
    shell(folder, `trap 'echo trapped' TERM; sh -c "trap '' TERM; while :; do sleep 0.1; done" & echo child $!; while :; do wait; done`),
  );
  const child = await printed(folder, "child");
  expect(await stopProcess(folder, "service", 300)).toMatchObject({ how: "killed" });
  expect(lookUp(child)).toBeNull();
  expect(log(folder)).toContain("trapped");
  confirmStopped(folder, ["service"]);
});

test("a child in a session of its own gets the same time to end as its parent", async () => {
  const folder = newFolder();
  await startProcess(
    folder,
    shell(
      folder,
      `setsid sh -c 'trap "echo ended well; exit" TERM; echo child $$; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`,
    ),
  );
  const child = await printed(folder, "child");
  expect(lookUp(child)?.group).toBe(child);
  expect(await stopProcess(folder, "service", 20_000)).toMatchObject({ how: "terminated" });
  expect([lookUp(child), log(folder).includes("ended well")]).toEqual([null, true]);
});

test("a child without its parent's environment, group and parent is known by the log it writes to", async () => {
  const folder = newFolder();
  const { record } = await startProcess(
    folder,
    shell(folder, `env -i /usr/bin/setsid /bin/sh -c 'echo child $$; while :; do sleep 0.1; done' & while :; do sleep 0.1; done`),
  );
  const child = await printed(folder, "child");
  process.kill(record.pid, "SIGKILL");
  await until(() => !isAlive(record));
  expect(observeProcess(folder, "service").orphans).toContainEqual(expect.objectContaining({ pid: child }));
  expect(() => confirmStopped(folder, ["service"])).toThrow(StillRunningError);
  await stopProcess(folder, "service", 5_000);
  expect(lookUp(child)).toBeNull();
  confirmStopped(folder, ["service"]);
});

test("a program that puts itself into the background is seen as such, and ended by a stop", async () => {
  const folder = newFolder();
  const daemon = `setsid sh -c 'echo daemon $$; exec >/dev/null 2>&1 </dev/null; cd /; while :; do sleep 0.1; done' & exit 0`;
  const { record } = await startProcess(folder, shell(folder, daemon));
  const pid = await printed(folder, "daemon");
  await until(() => !isAlive(record));
  const seen = observeProcess(folder, "service");
  expect(seen).toMatchObject({ running: false });
  expect(seen.left.map((each) => each.pid)).toContain(pid);
  await stopProcess(folder, "service", 5_000);
  expect(lookUp(pid)).toBeNull();
  expect(observeProcess(folder, "service").left).toEqual([]);
});
