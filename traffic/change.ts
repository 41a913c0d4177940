/** Gives a running gate another configuration: its process stays, and listeners of both configurations serve without a break. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAtomically } from "../processes/atomic-file.ts";
import { configurationId, parseGateConfig, type GateConfigInput } from "./config.ts";
import { askGate, type GateReport } from "./drain.ts";

export interface RunningGate {
  pid: number;
  /** URLs of the listeners that it may have now. */
  ports: number[];
  configFile: string;
  /** The last line of its error log. */
  lastError(): string;
}

export class GateUnchangedError extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`the traffic gate is unchanged: ${reason}`);
    this.name = "GateUnchangedError";
    this.reason = reason;
  }
}

/** How long a gate may take to open its ports. */
const WAIT_MS = 10_000;

/**
 * @returns false if this gate cannot be changed: it does not answer, or is of an earlier backout. Replace it.
 * @throws GateUnchangedError
 */
export async function changeGate(gate: RunningGate, input: GateConfigInput): Promise<boolean> {
  const config = parseGateConfig(input);
  const wanted = configurationId(config);
  const ports = [...new Set([...gate.ports, ...config.listeners.map(({ port }) => port)])];
  const before = await reportOf(gate.pid, ports);
  if (before?.configuration === undefined) return false;
  if (before.configuration === wanted) return true;
  const text = readFileSync(gate.configFile, "utf8");
  writeAtomically(gate.configFile, `${JSON.stringify(config, null, 2)}\n`);
  process.kill(gate.pid, "SIGHUP");
  const reason = await reasonAgainst(wanted, before, gate, ports);
  if (reason === null) return true;
  writeAtomically(gate.configFile, text);
  throw new GateUnchangedError(reason);
}

/** Null: the gate serves the wanted configuration. */
async function reasonAgainst(wanted: string, before: GateReport, gate: RunningGate, ports: number[]): Promise<string | null> {
  const until = performance.now() + WAIT_MS;
  while (performance.now() < until) {
    const report = await reportOf(gate.pid, ports);
    if (report?.configuration === wanted) return null;
    if (report?.changes !== undefined && report.changes !== before.changes) return gate.lastError();
    await sleep(20);
  }
  return `it did not load its new configuration ${gate.configFile} within ${WAIT_MS / 1000} s; run the same command again`;
}

/** The process's own report, from any of its ports; null: no answer. */
async function reportOf(pid: number, ports: number[]): Promise<GateReport | null> {
  for (const port of ports) {
    const report = await askGate(`http://127.0.0.1:${port}`).catch(() => null);
    if (report?.pid === pid) return report;
  }
  return null;
}
