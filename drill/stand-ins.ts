/** Programs in place of external systems, started for one drill. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:net";
import { startProcess } from "../processes/process.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { takeFreePorts } from "./ports.ts";
import { ownProcesses } from "./remove.ts";
import { drillOf } from "../config/system/drill.ts";

export interface StandIn {
  name: string;
  port: number;
  url: string;
  /** Configuration key under which every service is given its URL. */
  urlKey: string | null;
}

/** Ports, chosen before anything runs: the stack file needs the URLs. */
export async function planStandIns(definition: SystemDefinition): Promise<StandIn[]> {
  const entries = Object.entries(drillOf(definition).standIns);
  const ports = await takeFreePorts(entries.length);
  return entries.map(([name, { urlKey }], index) => ({
    name,
    port: ports[index] ?? 0,
    url: `http://127.0.0.1:${ports[index]}`,
    urlKey: urlKey ?? null,
  }));
}

/** Where stand-ins keep what they received. */
export function standInFolder(folder: string): string {
  return join(folder, "stand-ins");
}

export async function startStandIns(
  folder: string,
  definition: SystemDefinition,
  standIns: readonly StandIn[],
  secret: (name: string) => string,
): Promise<void> {
  const own = standInFolder(folder);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  for (const { name, port } of standIns) {
    const { entry, environment } = drillOf(definition).standIns[name]!;
    await startProcess(ownProcesses(folder), {
      name: `stand-in-${name}`,
      folder: definition.folder,
      command: [process.execPath, "--disable-warning=ExperimentalWarning", join(definition.folder, entry)],
      environment: { ...environment?.({ port, folder: own, secret }), PORT: String(port), FOLDER: own },
      release: "stand-in",
      configHash: "",
      port,
    });
    await untilListening(name, port);
  }
}

const LIMIT_MS = 15_000;

async function untilListening(name: string, port: number): Promise<void> {
  const until = Date.now() + LIMIT_MS;
  while (!(await accepts(port))) {
    if (Date.now() > until) throw new Error(`the stand-in ${name} does not listen on port ${port} after ${LIMIT_MS / 1000} s`);
    await sleep(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
