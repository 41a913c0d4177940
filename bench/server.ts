/** A private PostgreSQL server with the client tools of its version: the one place where backout and the manual's way can be compared. */
import { chmod, chown, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { takeFreePorts } from "../drill/ports.ts";
import type { Endpoint } from "../config/endpoint.ts";
import { findClientTools, type ClientTools } from "../databases/postgres/drivers/client-tools.ts";
import { runAs, serverRunner } from "../processes/run-as.ts";

const INSTALLED = "/usr/lib/postgresql";
const NEEDED = ["initdb", "pg_ctl", "postgres", "pg_dump", "pg_restore"];

export interface BenchServer {
  endpoint: Endpoint & { passwordFile: string };
  tools: ClientTools;
  remove(): Promise<void>;
}

/** Folder of the newest installed server that has all its tools; null where there is none. */
export async function installedServer(root: string = INSTALLED): Promise<{ major: number; bin: string } | null> {
  const majors = (await readdir(root).catch(() => [])).map(Number).filter(Number.isInteger);
  for (const major of majors.sort((a, b) => b - a)) {
    const bin = join(root, String(major), "bin");
    if (NEEDED.every((program) => existsSync(join(bin, program)))) return { major, bin };
  }
  return null;
}

/** Why there is no peer to compare with. */
export const NO_PEER = `pg_dump and pg_restore with their server are not installed (${INSTALLED}/<version>/bin): on Debian, apt-get install postgresql`;

/** Everything as it comes, so that neither side is favoured: only port and addresses are set. */
export async function startServer({ major, bin }: { major: number; bin: string }): Promise<BenchServer> {
  const runner = serverRunner();
  const folder = await mkdtemp(join(tmpdir(), "backout-bench-postgres-"));
  const run = async (program: string, args: string[]): Promise<void> => {
    const { code, output } = await runAs(runner, join(bin, program), args, folder);
    if (code !== 0) throw new Error(`${program} failed: ${output}`);
  };
  const [data, passwordFile] = [join(folder, "data"), join(folder, "password")];
  const remove = async (): Promise<void> => {
    if (existsSync(join(data, "postmaster.pid"))) await run("pg_ctl", ["stop", "-w", "-m", "immediate", "-D", data]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
    await chmod(folder, 0o755);
    if (runner !== null) for (const path of [folder, passwordFile]) await chown(path, runner.uid, runner.gid);
    await run("initdb", ["-D", data, "-U", "backout", `--pwfile=${passwordFile}`, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]);
    const [port] = (await takeFreePorts(1)) as [number];
    const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''`;
    await run("pg_ctl", ["start", "-w", "-D", data, "-l", join(folder, "log"), "-o", settings]);
    return { endpoint: { host: "127.0.0.1", port, user: "backout", passwordFile }, tools: await findClientTools(major, [bin]), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
