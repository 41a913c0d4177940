/** A short torture: two rounds of kills on a system in a file, by the command as it is typed. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TortureResult } from "../../drill/torture/torture.ts";
import { PROJECT } from "./stand.ts";

const ROUNDS = 2;

test("two rounds of torture: as declared after each, nothing lost, nobody locked out", async () => {
  const script = join(PROJECT, "scripts", "torture.ts");
  const given = [
    "--disable-warning=ExperimentalWarning",
    script,
    "--system",
    "orbis-forge",
    "--rounds",
    String(ROUNDS),
    "--seed",
    "1",
    "--json",
  ];
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, given, { cwd: PROJECT }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, stdout: out, stderr: err }),
    );
  });
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout) as TortureResult;
  expect(Object.keys(result)).toEqual(["rounds", "kills", "converged", "acknowledged", "lost", "lockedOut"]);
  expect(result).toMatchObject({ rounds: ROUNDS, converged: ROUNDS, lost: 0, lockedOut: 0 });
  expect(Math.min(result.kills, result.acknowledged)).toBeGreaterThan(0);
}, 600_000);
