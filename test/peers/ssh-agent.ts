/** A real ssh-agent of a test's own, with one key. */
import { execFile, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { end } from "../../processes/end.ts";
import { lookUp } from "../../processes/identity.ts";

export interface Agent {
  /** Path of its socket. */
  socket: string;
  stop(): Promise<void>;
}

/** Why there can be no agent here; `null` when there can. */
export function missingAgent(): string | null {
  const found = ["ssh-agent", "ssh-add"].every((program) => spawnSync("which", [program]).status === 0);
  return found ? null : "no ssh-agent on this machine (Debian's package openssh-client)";
}

/** @param socket a path where nothing is @param key file with a private key, which only its owner can read */
export async function startAgent(socket: string, key: string): Promise<Agent> {
  const child = spawn("ssh-agent", ["-D", "-a", socket], { detached: true, stdio: "ignore" });
  const running = child.pid === undefined ? null : lookUp(child.pid);
  const stop = (): Promise<unknown> => end("ssh-agent", running === null ? [] : [running], 5_000);
  while (!existsSync(socket)) {
    if (child.exitCode !== null || running === null) throw new Error(`ssh-agent ended with ${child.exitCode}`);
    await sleep(10);
  }
  await promisify(execFile)("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket } }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { socket, stop: async () => void (await stop()) };
}
