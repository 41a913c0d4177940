/** Real processes for tests: programs as text, ended by their pid whatever a test does. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atTestEnd } from "../support/cleaning.ts";
import { writeAtomically } from "../../processes/atomic-file.ts";
import { runningNames, stopProcess, type ProcessSpec } from "../../processes/process.ts";

export function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "backout-processes-")));
  atTestEnd(async () => {
    for (const state of [folder, join(folder, "state")]) for (const name of runningNames(state)) await stopProcess(state, name, 0);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Remembers a process that the test's end must not leave behind. */
export function endLater(pid: number): number {
  atTestEnd(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  });
  return pid;
}

/** A spec whose program is this text. */
export function program(folder: string, text: string, changes: Partial<ProcessSpec> = {}): ProcessSpec {
  mkdirSync(join(folder, "program"), { recursive: true });
  // In one step: the same program started a moment ago may be reading it.
  writeAtomically(join(folder, "program", "main.mjs"), text);
  return {
    name: "service",
    folder: join(folder, "program"),
    command: [process.execPath, "main.mjs"],
    environment: {},
    release: "v1",
    configHash: "a",
    port: null,
    ...changes,
  };
}

/** Runs a program to its end as a process of its own group and returns what it printed. */
export function startGroup(text: string): { pid: number; output: Promise<string> } {
  const child = spawn(process.execPath, ["--input-type=module", "-e", text], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  const output = new Promise<string>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes("\n")) resolve(printed.trim());
    });
    child.once("close", () => resolve(printed.trim()));
  });
  return { pid: endLater(child.pid ?? 0), output };
}

export async function until<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
