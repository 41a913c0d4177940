/** A real pm2 on a host of a test's own: where its program is, the environment it runs in, and its end. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { end } from "../../processes/end.ts";
import { lookUp, type LiveProcess } from "../../processes/identity.ts";
import { reachableBy, type Runner } from "../../processes/run-as.ts";

const TOOLS = join(import.meta.dirname, "..", "..", "node_modules", ".bin");
const END_GRACE_MS = 5_000;

/** Folders for the PATH: of `pm2`, and of the Node that runs it and its programs. */
export const PM2_PATH: readonly string[] = [TOOLS, dirname(process.execPath)];

/** Why `runner` cannot run pm2 here; `null` when it can. */
export function missingPm2(runner: Runner | null): string | null {
  if (!existsSync(join(TOOLS, "pm2"))) return "pm2 is not installed (npm ci)";
  const unreachable = PM2_PATH.find((folder) => runner !== null && !reachableBy(runner, folder));
  return unreachable === undefined ? null : `the user ${runner!.name} cannot reach ${unreachable}`;
}

/** pm2 keeps everything below this home, and asks nobody for newer versions of itself. */
export function pm2Environment(home: string): Record<string, string> {
  return { PM2_HOME: join(home, ".pm2"), PM2_DISCRETE_MODE: "1", PM2_DISABLE_VERSION_CHECK: "1" };
}

/** Ends the daemon of this home and what it runs, by the ids it wrote down. Where none runs, it does nothing. */
export async function endPm2(home: string): Promise<void> {
  const folder = join(home, ".pm2");
  const programs = existsSync(join(folder, "pids")) ? readdirSync(join(folder, "pids")).map((name) => join(folder, "pids", name)) : [];
  const running = [join(folder, "pm2.pid"), ...programs].flatMap(processOf);
  // The daemon ends its programs itself; what it left is ended after it.
  for (const each of running) await end("pm2", [each], END_GRACE_MS);
}

function processOf(file: string): LiveProcess[] {
  if (!existsSync(file)) return [];
  const pid = Number(readFileSync(file, "utf8"));
  const found = Number.isInteger(pid) && pid > 1 ? lookUp(pid) : null;
  return found === null ? [] : [found];
}
