/** A stack of its own for one test file: the real engine, a real server, real processes, in a temporary folder. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PinEdit } from "../../config/edit.ts";
import { GATE_PROCESS, gateFolder, processFolder, serverHome, type Site } from "../../config/site.ts";
import { observeServer, removeServer } from "../../databases/postgres/server.ts";
import { makeEphemeralStack } from "../../drill/ephemeral-stack.ts";
import { stopWitness } from "../../drill/witness-process.ts";
import { observeProcess, runningNames, stopProcess } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { cleanFileBackend } from "../../scripts/pulumi/file-backend.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { projectOf } from "./own-program.ts";
import { filesBelow, PROJECT, type Base } from "./stand/base.ts";
import { databasesOf } from "./stand/databases.ts";
import { engineOf } from "./stand/engine.ts";
import { trafficOf } from "./stand/traffic.ts";
import { witnessOf } from "./stand/witness.ts";

export { filesBelow, LIVE, pause, PROJECT, textOf, until } from "./stand/base.ts";
export { NotReachedError, succeeded, type Interrupted, type Standing, type Update, type VerbResult, type Victim } from "./stand/engine.ts";
export { expectNothingLost, type Watched } from "./stand/witness.ts";

const SYSTEM = "pfa-vanguard";

export interface StandOptions {
  /** PFA Vanguard unless given; then what is said in its terms (ids, versions, logins) is of no use. */
  system?: string;
  /** The first release that is pinned. */
  release?: string;
  edits?: PinEdit[];
  /** Text of a module that exports `definition`, which a program of the stand's own declares. */
  definition?: (folder: string) => string;
}

export type Stand = Awaited<ReturnType<typeof makeStand>>;

/** Makes the stack; nothing runs before the first `up`. Whatever happens, call `destroy`. */
export async function makeStand({ system = SYSTEM, release = "v3.0.0", edits = [], definition }: StandOptions = {}) {
  const engine = await ensureEngine({ log: () => undefined });
  const folder = await mkdtemp(join(tmpdir(), "backout-e2e-"));
  // The server runs as another user when the tests run as root.
  await chmod(folder, 0o755);
  const own: PinEdit[] = [
    { path: ["release"], value: release },
    { path: ["data"], value: "current" },
    ...["services", "flags", "maintenance", "blocked", "exact", "newWrites", "standby", "backups", "schema"].map((key): PinEdit => ({
      path: [key],
      value: undefined,
    })),
  ];
  const module = join(folder, "definition.ts");
  if (definition !== undefined) writeFileSync(module, definition(folder));
  const project = definition === undefined ? PROJECT : projectOf(folder, system, module);
  const stack = await makeEphemeralStack({ project, stack: system, folder, name: "e2e", engine, edits: [...own, ...edits] });
  const opened = await openStack(stackFile(stack.stack, folder));
  const site: Site = { ...opened.site, home: stack.home };
  const stand = { stack, site, definition: opened.definition, folder, engine };
  return {
    ...stand,
    ...engineOf(stand),
    ...databasesOf(stand),
    ...trafficOf(stand),
    ...witnessOf(stand),
    ...processesOf(stand),
    destroy: () => destroy(stand),
  };
}

/** What runs on this machine. */
function processesOf({ site }: Base) {
  const pids = (): Record<"server" | "gate" | "backend" | "worker", number | null> => ({
    server: observeServer(serverHome(site)).pid,
    gate: observeProcess(gateFolder(site), GATE_PROCESS).pid,
    backend: observeProcess(processFolder(site), "backend").pid,
    worker: observeProcess(processFolder(site), "worker").pid,
  });
  return { pids, observe: (service: string) => observeProcess(processFolder(site), service) };
}

/** Everything the stack made goes; what the engine leaves behind is ended by hand. */
async function destroy({ stack, site, folder }: Base): Promise<void> {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith("witness-")))
    await stopWitness({ drill: join(folder, name), folder: join(folder, name) });
  // Where a test failed, somebody may still stand at a failpoint.
  for (const file of filesBelow(stack.folder).filter((path) => path.endsWith(".reached")))
    writeFileSync(file.replace(/\.reached$/, ".go"), "");
  const { PULUMI_BACKEND_URL: backend } = stack.environment;
  cleanFileBackend(backend, stack.stack, stack.folder);
  await runPulumi({
    project: stack.folder,
    stack: stack.stack,
    arguments: ["destroy", "--yes", "--skip-preview"],
    environment: stack.environment,
  }).catch(() => undefined);
  for (const folder of [processFolder(site), gateFolder(site)])
    for (const name of existsSync(folder) ? runningNames(folder) : []) await stopProcess(folder, name, 1_000);
  await removeServer(serverHome(site)).catch(() => undefined);
  await rm(stack.folder, { recursive: true, force: true });
}

/** The pins of a rollback with everything, as a person writes them. */
export const PINS = {
  forward: [
    { path: ["release"], value: "v4.0.0" },
    { path: ["data"], value: "current" },
    { path: ["schema"], value: "keep" },
    { path: ["services"], value: undefined },
    { path: ["flags"], value: undefined },
    { path: ["maintenance"], value: undefined },
    { path: ["newWrites"], value: undefined },
    { path: ["blocked"], value: undefined },
    { path: ["scope"], value: undefined },
  ],
  restore: (snapshot: string) => [
    { path: ["release"], value: "v3.0.0" },
    { path: ["services", "worker", "run"], value: "off" },
    { path: ["data"], value: snapshot },
    { path: ["scope"], value: "restore" },
  ],
} satisfies { forward: PinEdit[]; restore: (snapshot: string) => PinEdit[] };
