/** Ephemeral stacks to measure: made, updated with the real engine as a user does, destroyed at the end and on Ctrl-C. */
import { mkdtemp, rm } from "node:fs/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { editPins, type PinEdit } from "../declared/edit.ts";
import type { Site } from "../declared/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../drill/ephemeral-stack.ts";
import { ensureEngine } from "../scripts/engine/engine.ts";
import { runPulumi } from "../scripts/pulumi-run.ts";
import { openStack, stackFile } from "../scripts/stack.ts";
import type { SystemDefinition } from "../systems/definition.ts";
import { say } from "./say.ts";

export interface BenchStack {
  site: Site;
  definition: SystemDefinition;
  pin(edits: PinEdit[]): void;
  /** `pulumi up --yes`; resolves with its wall time in seconds. @throws UpdateFailedError */
  up(options?: { preview: boolean }): Promise<number>;
  remove(): Promise<void>;
}

/** `pulumi up` of a benchmark did not succeed: there is nothing to measure. */
export class UpdateFailedError extends Error {
  readonly output: string;
  constructor(what: string, output: string) {
    super(`${what} failed: ${output.slice(-3_000)}`);
    this.name = "UpdateFailedError";
    this.output = output;
  }
}

export interface StackOptions {
  project: string;
  /** Stack that is imitated. */
  stack: string;
  edits: PinEdit[];
  /** Runs this program instead of the project's, without a provider of its own. */
  program?: string;
}

/** Whatever the imitated stack is pinned to now, every measurement starts from the same declared state. */
export function neutralEdits(release: string): PinEdit[] {
  const defaults = ["components", "schema", "flags", "maintenance", "backups", "arm", "carry", "blocked", "exact"];
  return [{ path: ["release"], value: release }, { path: ["data"], value: "current" }, ...defaults.map((key): PinEdit => ({ path: [key], value: undefined }))];
}

export async function benchStack({ project, stack, edits, program }: StackOptions): Promise<BenchStack> {
  const folder = await mkdtemp(join(tmpdir(), "backout-bench-"));
  const remove: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const engine = await ensureEngine({ log: say });
    const ephemeral = await makeEphemeralStack({ project, stack, folder, name: `bench-${stack}`, engine, edits });
    if (program !== undefined) runInstead(ephemeral, program);
    await pulumi(ephemeral, ["stack", "select", "--create"]);
    remove.unshift(() => pulumi(ephemeral, ["destroy", "--yes", "--skip-preview"]));
    return { ...(await opened(ephemeral)), ...verbs(ephemeral), remove: () => all(remove) };
  } catch (error) {
    await all(remove);
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

async function opened(ephemeral: EphemeralStack): Promise<Pick<BenchStack, "site" | "definition">> {
  const { site, definition } = await openStack(stackFile(ephemeral.stack, ephemeral.folder));
  return { site: { ...site, home: ephemeral.home }, definition };
}

async function pulumi({ folder, stack, environment }: EphemeralStack, args: string[]): Promise<void> {
  const { code, output } = await runPulumi({ project: folder, stack, arguments: args, environment });
  if (code !== 0) throw new UpdateFailedError(`pulumi ${args.join(" ")}`, output);
}

function runInstead({ folder }: EphemeralStack, program: string): void {
  const file = join(folder, "Pulumi.yaml");
  const { plugins: _plugins, ...rest } = parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, stringify({ ...rest, main: program }));
}

async function all(steps: (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) await step().catch((error: Error) => say(error.message));
}
