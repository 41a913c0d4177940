/** Ephemeral stacks to measure: made, updated with the real engine as a user does, destroyed at the end and on Ctrl-C. */
import { mkdtemp, rm } from "node:fs/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { editPins, type PinEdit } from "../config/edit.ts";
import type { Site } from "../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../drill/ephemeral-stack.ts";
import { ensureEngine } from "../scripts/pulumi/engine.ts";
import { runPulumi } from "../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile } from "../scripts/pulumi/stack.ts";
import { declaredSystems, defaultSystem } from "../scripts/verbs/drill-list.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { leftBehind } from "./left-behind.ts";

/** What is imitated. */
export interface StackSource {
  project: string;
  stack: string;
  definition: SystemDefinition;
}

export interface BenchStack {
  site: Site;
  definition: SystemDefinition;
  pin(edits: PinEdit[]): void;
  /** `pulumi up --yes`; resolves with its wall time in seconds. @throws UpdateFailedError */
  up(options?: { preview: boolean }): Promise<number>;
  /** Destroys the stack and removes its folder. */
  remove(): Promise<void>;
}

/** The engine did not do what was to be measured. */
export class UpdateFailedError extends Error {
  readonly output: string;
  constructor(what: string, output: string) {
    super(`${what} failed:\n${output.slice(-3_000)}`);
    this.name = "UpdateFailedError";
    this.output = output;
  }
}

/** @param stack that of the project's default system unless named. */
export async function stackSource(project: string, stack?: string): Promise<StackSource> {
  const system = await defaultSystem(project);
  const usual = (await declaredSystems(project)).find((one) => one.system === system)?.stack;
  const found = stackFile(stack ?? usual, project);
  // Whatever is pinned there now, also what may not be: only the system is of interest.
  const neutral = editPins(found.text, neutralEdits(Object.keys(ledgerOf(found.text))[0] ?? ""));
  return { project, stack: found.stack, definition: (await openStack(found, neutral)).definition };
}

function ledgerOf(text: string): Record<string, unknown> {
  return (parse(text) as { config: { "backout:releases"?: Record<string, unknown> } }).config["backout:releases"] ?? {};
}

/** Whatever the imitated stack is pinned to now, every measurement starts from the same declared state. */
export function neutralEdits(release: string): PinEdit[] {
  const defaults = ["services", "schema", "flags", "maintenance", "backups", "standby", "newWrites", "blocked", "exact"];
  return [
    { path: ["release"], value: release },
    { path: ["data"], value: "current" },
    ...defaults.map((key): PinEdit => ({ path: [key], value: undefined })),
  ];
}

export interface StackOptions extends StackSource {
  edits: PinEdit[];
  /** Runs this program instead of the project's, without a provider of its own. */
  program?: string;
}

export async function benchStack({ project, stack, edits, program }: StackOptions): Promise<BenchStack> {
  const folder = await mkdtemp(join(tmpdir(), "backout-bench-"));
  let made: EphemeralStack | undefined;
  const remove = leftBehind(async () => {
    // What still runs has the lock.
    await running?.catch(() => undefined);
    if (made !== undefined) await pulumi(made, ["destroy", "--yes", "--skip-preview"]);
    await rm(folder, { recursive: true, force: true });
  });
  try {
    const engine = await ensureEngine();
    const ephemeral = await makeEphemeralStack({ project, stack, folder, name: `bench-${stack}`, engine, edits });
    if (program !== undefined) runInstead(ephemeral, program);
    await pulumi(ephemeral, ["stack", "select", "--create"]);
    made = ephemeral;
    const { site, definition } = await openStack(stackFile(ephemeral.stack, folder));
    return { site: { ...site, home: ephemeral.home }, definition, ...verbs(ephemeral), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function verbs(ephemeral: EphemeralStack): Pick<BenchStack, "pin" | "up"> {
  return {
    pin: (edits) => writeFileSync(ephemeral.file, editPins(readFileSync(ephemeral.file, "utf8"), edits)),
    up: async ({ preview } = { preview: true }) => {
      const startedAt = performance.now();
      await pulumi(ephemeral, preview ? ["up", "--yes"] : ["up", "--yes", "--skip-preview"]);
      return (performance.now() - startedAt) / 1000;
    },
  };
}

let running: Promise<unknown> | undefined;

async function pulumi({ folder, stack, environment }: EphemeralStack, args: string[]): Promise<void> {
  const run = runPulumi({ project: folder, stack, arguments: args, environment });
  running = run;
  const { code, output } = await run;
  if (code !== 0) throw new UpdateFailedError(`pulumi ${args.join(" ")}`, output);
}

function runInstead({ folder }: EphemeralStack, program: string): void {
  const file = join(folder, "Pulumi.yaml");
  const { plugins: _plugins, ...rest } = parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, stringify({ ...rest, main: program }));
}
