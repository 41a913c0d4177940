/** Asks a service whether it is healthy, by the way that its definition names. */
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import type { HealthDefinition } from "../config/system/health.ts";
import { askHealth, type HealthAnswer } from "../processes/process.ts";
import { runToEnd } from "../processes/run-to-end.ts";

const CONNECT_TIMEOUT_MS = 2_000;

/** Runs a health command. */
export type RunHealth = (command: readonly string[], timeoutMs: number) => Promise<HealthAnswer>;

/** One question. Never throws. */
export async function askService(health: HealthDefinition, port: number, run: RunHealth, holdMs = 0): Promise<HealthAnswer> {
  if (health.command !== undefined) return run(health.command, health.timeoutMs).catch(failed);
  if (health.tcp === true) return askPort(port, holdMs);
  return askHealth(`http://127.0.0.1:${port}${health.path ?? "/"}`, health.body);
}

/** Runs a health command on this machine. */
export function runHere(folder: string, environment: Readonly<Record<string, string>>): RunHealth {
  return async (command, timeoutMs) => {
    const output: Buffer[] = [];
    const mark = { name: "BACKOUT_HEALTH", value: randomUUID() };
    const onOutput = (chunk: Buffer): void => void output.push(chunk);
    const { code, signal, timedOut } = await runToEnd({ command, folder, environment, mark, timeoutMs, onOutput });
    const [last = ""] = Buffer.concat(output).toString("utf8").trim().split("\n").slice(-1);
    const how = timedOut ? `took longer than ${timeoutMs} ms` : signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    return { healthy: code === 0 && !timedOut, answer: `\`${command.join(" ")}\` ${how} ${last.slice(0, 200)}`.trim() };
  };
}

/** @param holdMs how long the connection must stay open: what forwards a port accepts connections for a program that does not listen yet */
function askPort(port: number, holdMs: number): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const answer = (healthy: boolean, text: string): void => {
      socket.destroy();
      resolve({ healthy, answer: text });
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => answer(false, `no connection to port ${port} within ${CONNECT_TIMEOUT_MS} ms`));
    socket.once("error", (error) => resolve({ healthy: false, answer: error.message }));
    socket.once("connect", () => {
      if (holdMs === 0) return answer(true, `port ${port} accepts connections`);
      socket.once("close", () => answer(false, `port ${port} closed the connection`));
      setTimeout(() => answer(true, `port ${port} accepts connections`), holdMs);
    });
  });
}

function failed(error: unknown): HealthAnswer {
  return { healthy: false, answer: error instanceof Error ? error.message : String(error) };
}
