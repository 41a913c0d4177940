/** Instances of servers, as a daemon would list them: one file each, with its labels and its process. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Spec {
  folder: string;
  program: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  /** Folder of the list. */
  instances: string;
}

export interface Instance extends Spec {
  id: string;
  pid: number;
}

export function startInstance(spec: Spec, id: string = randomUUID()): string {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", spec.program], {
    cwd: spec.folder,
    env: spec.env,
    detached: true,
    stdio: "ignore",
  });
  child.unref();
  mkdirSync(spec.instances, { recursive: true });
  writeFileSync(join(spec.instances, `${id}.json`), JSON.stringify({ ...spec, id, pid: child.pid }));
  return id;
}

export function instancesOf(folder: string, service?: string): Instance[] {
  mkdirSync(folder, { recursive: true });
  const all = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Instance);
  return all.filter(({ labels }) => service === undefined || labels["backout.service"] === service);
}

export function runs({ pid }: Instance): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export async function stopInstance(instance: Instance): Promise<void> {
  while (runs(instance)) {
    process.kill(instance.pid, "SIGKILL");
    await sleep(20);
  }
}

export async function endInstance(folder: string, id: string): Promise<void> {
  for (const instance of instancesOf(folder).filter((one) => one.id === id)) {
    await stopInstance(instance);
    rmSync(join(folder, `${id}.json`), { force: true });
  }
}
