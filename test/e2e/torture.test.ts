/** A short torture: rounds of kills on a system in a file, by the command as it is typed. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeDrill } from "../../drill/remove.ts";
import type { TortureResult } from "../../drill/torture/torture.ts";
import { PROJECT, textOf, until } from "./stand.ts";

const ROUNDS = 2;

function begin(...more: string[]) {
  const given = [
    "--disable-warning=ExperimentalWarning",
    join(PROJECT, "scripts", "torture.ts"),
    "--system",
    "orbis-forge",
    "--json",
    ...more,
  ];
  const child = spawn(process.execPath, given, { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] });
  const said = { text: "" };
  child.stderr.on("data", (chunk: Buffer) => (said.text += chunk.toString("utf8")));
  const stdout = textOf(child.stdout);
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, said, stdout, code };
}

test("two rounds of torture: as declared after each, nothing lost, nobody locked out", async () => {
  const { said, stdout, code } = begin("--rounds", String(ROUNDS), "--seed", "1");
  expect(await code, said.text).toBe(0);
  const result = JSON.parse(await stdout) as TortureResult;
  expect(Object.keys(result)).toEqual(["rounds", "kills", "converged", "acknowledged", "lost", "lockedOut"]);
  expect(result).toMatchObject({ rounds: ROUNDS, converged: ROUNDS, lost: 0, lockedOut: 0 });
  expect(Math.min(result.kills, result.acknowledged)).toBeGreaterThan(0);
}, 600_000);

test.each(["SIGTERM", "SIGKILL"] as const)(
  "a torture ended by %s leaves nothing, or what the next one finds and removes",
  async (signal) => {
    const { child, said, code } = begin("--rounds", "1", "--seed", "5");
    await until("somebody is to be killed", () => said.text.includes("; kills: "), 120_000);
    const folder = /, in (\S+)/.exec(said.text)![1]!;
    expect(workingIn(folder)).not.toEqual([]);
    child.kill(signal);
    await code;
    if (signal === "SIGKILL") await removeDrill(folder);
    else expect(said.text).toContain("interrupted by SIGTERM: everything that the torture made is removed");
    expect(child.exitCode).toBe(signal === "SIGKILL" ? null : 143);
    expect(workingIn(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  },
  240_000,
);

/** Processes that know the folder, by their words or their environment. */
function workingIn(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(folder));
    } catch {
      return false;
    }
  });
}
