import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileLock } from "../../../processes/file-lock.ts";
import { withLock } from "../../../scripts/pulumi/lock.ts";
import { isRunning } from "../../../processes/identity.ts";
import { environment, runScript, type Scratch, scratch, script, standInGo } from "./scratch.ts";

const FOLDER = `3.259.0-${process.platform}-${process.arch}`;
const setup = (here: Scratch, onStart?: (pid: number) => void) =>
  runScript("setup.ts", [], {
    cwd: here.project,
    env: environment(here, { BACKOUT_ENGINE_SOURCES: "build" }),
    ...(onStart && { onStart }),
  });

describe("two set-ups at once", () => {
  it("make the engine once; the second waits and says for whom", async () => {
    const here = await scratch();
    const builds = await standInGo(here, "v3.259.0", 1);
    const pids: number[] = [];
    const ended = await Promise.all([setup(here, (pid) => pids.push(pid)), setup(here, (pid) => pids.push(pid))]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect((await readFile(builds, "utf8")).trim().split("\n")).toHaveLength(2);
    const waiting = ended.filter(({ stderr }) => stderr.includes("waiting for it"));
    expect(waiting).toHaveLength(1);
    const holder = Number(/Process (\d+) on/.exec(waiting[0]?.stderr ?? "")?.[1]);
    expect(pids).toContain(holder);
    expect((await readdir(here.cache)).sort()).toEqual([FOLDER]);
  });

  it("do not wait for a process that was killed, and take away what it left", async () => {
    const here = await scratch();
    await standInGo(here);
    let gone = 0;
    await runScript("setup.ts", ["--help"], { cwd: here.project, env: environment(here), onStart: (pid) => (gone = pid) });
    await mkdir(join(here.cache, `${FOLDER}.making-${gone}-build`, "bin"), { recursive: true });
    await writeFile(
      join(here.cache, `${FOLDER}.lock.holder`),
      JSON.stringify({ pid: gone, host: hostname(), since: "2020-01-01T00:00:00Z" }),
    );
    const { code, stderr } = await setup(here);
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain("waiting for it");
    expect((await readdir(here.cache)).sort()).toEqual([FOLDER]);
  });

  it("ended half-way give the lock back and end their build", async () => {
    const here = await scratch();
    const started = join(here.root, "started");
    await script(join(here.bin, "go"), `echo $$ > "${started}.part"; mv "${started}.part" "${started}"; exec sleep 60`);
    const { code } = await setup(here, (pid) => {
      const look = setInterval(() => {
        if (!existsSync(started)) return;
        clearInterval(look);
        process.kill(pid, "SIGTERM");
      }, 20);
    });
    expect(code).toBe(143);
    const lock = await fileLock(join(here.cache, `${FOLDER}.lock`), 0);
    expect(lock).not.toBeNull();
    lock!.release();
    const build = Number(await readFile(started, "utf8"));
    await expect.poll(() => isRunning(build)).toBe(false);
  });
});

describe("a lock", () => {
  it("is never held by two at once", async () => {
    const here = await scratch();
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((done) => setTimeout(done, 5));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(join(here.cache, "some.lock"), () => undefined, work)));
    expect(most).toBe(1);
    expect((await readdir(here.cache)).sort()).toEqual([]);
  });

  it("is given back when the work fails", async () => {
    const here = await scratch();
    const lock = join(here.cache, "some.lock");
    await expect(
      withLock(
        lock,
        () => undefined,
        () => Promise.reject(new Error("no space")),
      ),
    ).rejects.toThrow("no space");
    expect((await readdir(here.cache)).sort()).toEqual([]);
    await withLock(
      lock,
      () => undefined,
      async () => Promise.resolve(),
    );
  });
});
