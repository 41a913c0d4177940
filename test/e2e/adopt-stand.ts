/** A stack whose data was there before it: the verbs as a user types them, and a client that writes all the time. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { editPins, type PinEdit } from "../../config/edit.ts";
import type { Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { removeDrill } from "../../drill/remove.ts";
import { runVerb, type VerbOutcome } from "../../drill/verbs.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { isRunning } from "../../processes/identity.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile, type OpenStack } from "../../scripts/pulumi/stack.ts";
import { PROGRAM } from "./order-shop/definition.ts";
import { projectOf } from "./own-program.ts";
import { filesBelow, PROJECT, until } from "./stand.ts";

export interface AdoptStand {
  folder: string;
  stack: EphemeralStack;
  site: Site;
  text(): string;
  pin(edits: PinEdit[]): void;
  opened(): Promise<OpenStack>;
  verb<T = Record<string, unknown>>(name: string, ...given: string[]): Promise<VerbOutcome<T>>;
  pulumi(given: string[], environment?: NodeJS.ProcessEnv): Promise<{ code: number; output: string }>;
  /** Starts a verb, and kills it with SIGKILL where it stands at a failpoint. */
  killVerb(point: string, ...words: string[]): Promise<void>;
  destroy(): Promise<void>;
}

/** @param releases newest migration that each needs, oldest first; the first is pinned */
export async function adoptStand(
  definition: string,
  database: string,
  releases: Record<string, string>,
  edits: PinEdit[],
): Promise<AdoptStand> {
  const folder = mkdtempSync(join(tmpdir(), "backout-adopt-"));
  await chmod(folder, 0o755);
  const ledger: PinEdit[] = [{ path: ["releases"], value: {} }];
  for (const [name, schema] of Object.entries(releases)) {
    const path = join(folder, "builds", name, "app");
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "main.ts"), `// ${name}\n${PROGRAM}`);
    ledger.push({
      path: ["releases", name],
      value: { schema: { [database]: schema }, services: { app: { path, sha256: await hashFolder(path) } } },
    });
  }
  writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  const stack = await makeEphemeralStack({
    project: projectOf(folder, "orbis-forge", definition),
    stack: "orbis-forge",
    folder,
    name: "adopted",
    engine: await ensureEngine({ log: () => undefined }),
    edits: [...ledger, { path: ["release"], value: Object.keys(releases)[0] }, { path: ["standby"], value: "never" }, ...edits],
  });
  const opened = (): Promise<OpenStack> => openStack(stackFile("adopted", folder));
  const site: Site = { ...(await opened()).site, home: stack.home };
  const text = (): string => readFileSync(stack.file, "utf8");
  return {
    folder,
    stack,
    site,
    text,
    pin: (changes) => writeFileSync(stack.file, editPins(text(), changes)),
    opened,
    verb: (name, ...given) => runVerb(stack, name, given),
    // A stack file makes no stack: the verbs do, and a person who types `pulumi` does it once.
    pulumi: async (given, environment = {}) => {
      await runPulumi({ project: folder, stack: "adopted", arguments: ["stack", "select", "--create"], environment: stack.environment });
      return runPulumi({ project: folder, stack: "adopted", arguments: given, environment: { ...stack.environment, ...environment } });
    },
    killVerb: async (point, ...words) => {
      const points = mkdtempSync(join(folder, "failpoint-"));
      const program = join(PROJECT, "scripts", "backout.ts");
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...words, "--stack", "adopted", "--json"], {
        cwd: folder,
        env: { ...process.env, ...stack.environment, BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (part: string) => (said += part));
      const reached = join(points, `${point}.reached`);
      await until(
        `it stands at ${point}`,
        () => (existsSync(reached) && readFileSync(reached, "utf8") !== "") || child.exitCode !== null,
        240_000,
      );
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} without reaching ${point}:\n${said}`);
      child.kill("SIGKILL");
      await until("it is gone", () => !isRunning(child.pid!));
    },
    destroy: async () => {
      await removeDrill(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One writer: it opens where it writes, or keeps its session. */
export interface Session {
  write(id: number): Promise<void>;
  end(): Promise<void>;
}

/** What a client saw that wrote all the time. */
export interface Writer {
  /** Acknowledged. */
  ids: number[];
  /** Errors while nothing of backout's kept users out. */
  refused: string[];
  /** Writes that were acknowledged meanwhile are not enough for a test that says so: waits for one more. */
  writesOn(): Promise<void>;
  /** While `work` is under way, users may be kept out. */
  during<T>(work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** @param stops as a program does that is ended for a rollout: it writes nothing while users may be kept out */
export function startWriter(open: () => Promise<Session>, { stops = false }: { stops?: boolean } = {}): Writer {
  let stopped = false;
  let keptOut = false;
  let writing = false;
  let next = 1_000_000;
  const ids: number[] = [];
  const refused: string[] = [];
  const run = async (): Promise<void> => {
    let session: Session | null = null;
    while (!stopped) {
      await sleep(10);
      writing = !(stops && keptOut);
      if (!writing) continue;
      const id = next++;
      try {
        session ??= await open();
        await session.write(id);
        ids.push(id);
      } catch (error) {
        if (!keptOut) refused.push(`${id}: ${(error as Error).message}`);
        await session?.end().catch(() => undefined);
        session = null;
      }
    }
    await session?.end().catch(() => undefined);
  };
  const running = run();
  const writesOn = async (): Promise<void> => {
    const count = ids.length;
    await until("the client writes on", () => ids.length > count);
  };
  return {
    ids,
    refused,
    writesOn,
    during: async (work) => {
      keptOut = true;
      if (stops) await until("the client has stopped", () => !writing);
      try {
        return await work();
      } finally {
        // The first write that is acknowledged again ends it.
        if (!stops) await writesOn();
        keptOut = false;
      }
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

/** Ids in exported rows. */
export function exportedIds(home: string): Set<number> {
  const ids = new Set<number>();
  for (const file of filesBelow(join(home, "exports")).filter((path) => path.endsWith(".jsonl")))
    for (const [, id] of readFileSync(file, "utf8").matchAll(/"id":\s*"?(\d+)"?/g)) ids.add(Number(id));
  return ids;
}
