/** What the real engine does with the provider: what runs in a preview, and where a secret does not end up. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { observeProcess, stopProcess } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import type { Engine } from "../../scripts/pulumi/environment.ts";
import { PROJECT } from "./stand.ts";

const PASSWORD = "correct-horse-battery-staple";

let folder: string;
let engine: Engine;
let stack: EphemeralStack;

interface Outcome {
  code: number;
  output: string;
}

async function pulumi(...given: string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await promisify(execFile)(
      engine.pulumi,
      [...given, "--stack", stack.stack, "--non-interactive", "--color", "never"],
      {
        cwd: stack.folder,
        env: { ...process.env, ...stack.environment },
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** A system on a server of one's own that does not answer: nothing but the traffic gate can be made. */
beforeAll(async () => {
  engine = await ensureEngine({ log: () => undefined });
  folder = await mkdtemp(join(tmpdir(), "backout-facts-"));
  await chmod(folder, 0o755);
  const [port] = await takeFreePorts(1);
  stack = await makeEphemeralStack({
    project: PROJECT,
    stack: "pfa-vanguard",
    folder,
    name: "facts",
    engine,
    edits: [
      { path: ["release"], value: "v3.0.0" },
      { path: ["data"], value: "current" },
      { path: ["server"], value: { host: "127.0.0.1", port, user: "admin" } },
    ],
  });
  await pulumi("stack", "init");
  const set = await pulumi("config", "set", "--secret", "backout:serverPassword", PASSWORD);
  expect(set).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await stopProcess(join(stack.home, "gate"), "gate", 5_000);
  await rm(folder, { recursive: true, force: true });
});

const gate = () => observeProcess(join(stack.home, "gate"), "gate");

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

describe("under the real engine", () => {
  it("a preview checks and says what it sees, and makes nothing", async () => {
    const { code, output } = await pulumi("preview", "--json");
    expect(code, output).toBe(0);
    const { steps, diagnostics } = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1)) as {
      steps: { op: string; urn: string }[];
      diagnostics: { urn?: string; severity: string; message: string }[];
    };
    expect(steps.filter(({ op }) => op === "create").map(({ urn }) => urn.split("::").at(-1))).toContain("finalize");
    // Check ran: only it looks for the database and says so, beside the resource.
    expect(
      diagnostics
        .filter(({ message }) => message.includes("cannot be reached"))
        .map(({ urn, severity }) => [urn?.split("::").at(-1), severity]),
    ).toEqual([["plan", "warning"]]);
    // Create did not.
    expect(gate().running).toBe(false);
    expect(existsSync(join(stack.home, "gate"))).toBe(false);
  });

  it("an update makes what can be made and refuses before anything stops, without a password in anything it says", async () => {
    const { code, output } = await pulumi("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain("Nothing was stopped");
    expect(output).not.toContain(PASSWORD);
    expect(gate().running).toBe(true);
  });

  it("a second preview asks diff what changes, and updates nothing", async () => {
    const { pid } = gate();
    const { output } = await pulumi("preview", "--diff");
    expect(output).not.toContain(PASSWORD);
    // The stack, the service and the gate.
    expect(output).toContain("3 unchanged");
    expect(gate().pid).toBe(pid);
    process.kill(pid!, "SIGKILL");
    while (gate().running) await new Promise((resolve) => setTimeout(resolve, 20));
    const { output: drifted } = await pulumi("preview");
    expect(drifted).toMatch(/TrafficGate gate update/);
    expect(gate().running).toBe(false);
  });

  it("the password is nowhere in plain text: state, its backups and history, the stack file, logs, what the provider keeps", async () => {
    writeFileSync(join(folder, "probe"), PASSWORD);
    const holding = filesBelow(folder).filter((file) => readFileSync(file).includes(PASSWORD));
    expect(holding).toEqual([join(folder, "probe")]);
    const state = filesBelow(join(folder, ".backout", "state"));
    for (const kind of ["stacks", "backups", "history"])
      expect(
        state.some((file) => file.includes(`/${kind}/`)),
        kind,
      ).toBe(true);
    const { output } = await pulumi("stack", "export");
    expect(output).not.toContain(PASSWORD);
    expect(output).toContain('"ciphertext"');
    const { output: plain } = await pulumi("stack", "export", "--show-secrets");
    expect(plain).toContain(PASSWORD);
  });
});
