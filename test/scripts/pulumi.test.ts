import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environment, runScript, scratch, standInPulumi } from "./engine/scratch.ts";

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
