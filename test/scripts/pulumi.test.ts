import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environment, runScript, scratch, standInPulumi } from "./pulumi/scratch.ts";

describe("npm run pulumi", () => {
  it("runs from a subfolder in the project's folder, with set-up done, and exits as Pulumi does", async () => {
    const here = await scratch();
    await standInPulumi(here.bin, "v3.259.0", 'pwd; printf "<%s>" "$@"; echo; echo "$PULUMI_BACKEND_URL"; exit 7');
    const sub = join(here.project, "stacks", "deep");
    await mkdir(sub, { recursive: true });
    const { code, stdout } = await runScript("pulumi.ts", ["up", "--stack", "my stack", "--json"], { cwd: sub, env: environment(here) });
    expect(code).toBe(7);
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      here.project,
      "<up><--stack><my stack><--json>",
      `file://${here.project}/.backout/state?metadata=skip`,
    ]);
    expect(existsSync(join(here.project, ".backout", "state"))).toBe(true);
  });

  it("takes the folder npm was called in, but not one that is only inherited", async () => {
    const here = await scratch();
    await standInPulumi(here.bin, "v3.259.0", "pwd");
    const inner = join(here.project, "inner");
    await mkdir(inner);
    const outside = await scratch();
    const called = await runScript("pulumi.ts", ["up"], { cwd: here.project, env: environment(here, { INIT_CWD: inner }) });
    const inherited = await runScript("pulumi.ts", ["up"], { cwd: here.project, env: environment(here, { INIT_CWD: outside.project }) });
    expect([called.stdout.trim(), inherited.stdout.trim()]).toEqual([here.project, here.project]);
  });

  describe("where a command was killed", () => {
    /** No process has this id: it is above what a kernel gives out. */
    const DEAD = 2 ** 30;
    const SELECTED = '[ "$1 $2" = "stack --show-name" ] && echo selected; :';

    async function locked(stack: string, pid = DEAD, host = hostname()) {
      const here = await scratch();
      await standInPulumi(here.bin, "v3.259.0", SELECTED);
      const folder = join(here.project, ".backout", "state", ".pulumi", "locks", "organization", "project", stack);
      await mkdir(folder, { recursive: true });
      const lock = join(folder, "lock.json");
      await writeFile(lock, JSON.stringify({ pid, hostname: host }));
      await writeFile(join(here.project, ".backout", "passphrase"), "secret\n");
      return { here, lock };
    }

    it.each([
      ["up", ["up", "--yes", "--stack", "site"]],
      ["its other name", ["update", "--stack=site"]],
      ["preview", ["preview", "-s", "organization/project/site"]],
      ["refresh", ["--non-interactive", "refresh", "-ssite"]],
      ["destroy", ["destroy", "-s=site"]],
    ])("%s removes the state's lock, says so on standard error, and runs", async (_name, given) => {
      const { here, lock } = await locked("site");
      const { code, stdout, stderr } = await runScript("pulumi.ts", given, { cwd: here.project, env: environment(here) });
      expect(existsSync(lock)).toBe(false);
      expect(stderr).toContain(`removed the state lock of pid ${DEAD}: that process is dead`);
      expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    });

    it("takes the stack of the environment, and else the one that is selected", async () => {
      const { here, lock } = await locked("selected");
      const options = { cwd: here.project, env: environment(here, { PULUMI_STACK: "another" }) };
      await runScript("pulumi.ts", ["up"], options);
      expect(existsSync(lock), "the lock of another stack").toBe(true);
      await runScript("pulumi.ts", ["up"], { cwd: here.project, env: environment(here) });
      expect(existsSync(lock)).toBe(false);
    });

    it("leaves alone what somebody may still hold, and every other command", async () => {
      const alive = await locked("site", process.pid);
      const elsewhere = await locked("site", DEAD, `${hostname()}-other`);
      const other = await locked("other");
      for (const { here, lock } of [alive, elsewhere, other]) {
        const { code, stderr } = await runScript("pulumi.ts", ["up", "--stack", "site"], { cwd: here.project, env: environment(here) });
        expect({ code, stderr, there: existsSync(lock) }).toEqual({ code: 0, stderr: "", there: true });
      }
      const { here, lock } = await locked("site");
      await runScript("pulumi.ts", ["stack", "output", "--stack", "site"], { cwd: here.project, env: environment(here) });
      expect(existsSync(lock)).toBe(true);
    });
  });

  it("fails outside of a project with one line", async () => {
    const here = await scratch();
    await standInPulumi(here.bin, "v3.259.0");
    const { code, stderr } = await runScript("pulumi.ts", ["up"], { cwd: here.root, env: environment(here) });
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^There is no Pulumi\.yaml in .*$/);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("passes a %s on once, though it comes twice, and waits for Pulumi to finish", async (signal) => {
    const here = await scratch();
    const log = join(here.root, "log");
    const name = signal.slice(3);
    // Looks for the signal between short sleeps: a shell runs its traps only between commands.
    const body = `trap 'echo got >> "${log}"; got=1' ${name}; echo ready >> "${log}"
i=0; while [ -z "$got" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done; sleep 0.3; exit 3`;
    await standInPulumi(here.bin, "v3.259.0", body.replaceAll("\\", "\\\\"));
    const ended = await runScript("pulumi.ts", ["up"], {
      cwd: here.project,
      env: environment(here),
      onStart: (pid) => {
        const look = setInterval(() => {
          if (!existsSync(log)) return;
          clearInterval(look);
          process.kill(pid, signal);
          setTimeout(() => process.kill(pid, signal), 50);
        }, 20);
      },
    });
    expect(ended.code, ended.stderr).toBe(3);
    expect((await readFile(log, "utf8")).trim().split("\n")).toEqual(["ready", "got"]);
  });
});
