/** A private PostgreSQL 15 of Debian's packages, whose client tools are installed too. */
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../../config/endpoint.ts";
import { runAs, serverRunner } from "../../../../processes/run-as.ts";
import { freePort } from "../../../support/free-port.ts";

const BIN = "/usr/lib/postgresql/15/bin";

export interface DebianServer {
  endpoint: Endpoint;
  stop(): Promise<void>;
}

/** Why there can be no such server here; `null` when there can. */
export function missingDebianServer(): string | null {
  return existsSync(join(BIN, "postgres")) && existsSync(join(BIN, "pg_dump"))
    ? null
    : `PostgreSQL 15 of Debian is not installed (${BIN}/postgres, pg_dump)`;
}

export async function startDebianServer(): Promise<DebianServer> {
  const runner = serverRunner();
  const folder = await mkdtemp(join(tmpdir(), "backout-debian-"));
  await chmod(folder, 0o755);
  const password = "debian";
  await writeFile(join(folder, "password"), password);
  if (runner) await chown(folder, runner.uid, runner.gid);
  const data = join(folder, "data");
  const port = await freePort();
  const run = async (program: string, args: string[]): Promise<void> => {
    const { code, output } = await runAs(runner, join(BIN, program), args, folder);
    if (code !== 0) throw new Error(`${program} failed: ${output}`);
  };
  await run("initdb", [
    "-D",
    data,
    "-U",
    "backout",
    `--pwfile=${join(folder, "password")}`,
    "-A",
    "scram-sha-256",
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync",
  ]);
  await run("pg_ctl", [
    "start",
    "-w",
    "-D",
    data,
    "-l",
    join(folder, "log"),
    "-o",
    `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`,
  ]);
  const endpoint = { host: "127.0.0.1", port, user: "backout", password };
  const client = await connect(endpoint, "postgres");
  await client.query("CREATE DATABASE maintenance");
  await client.end();
  return {
    endpoint,
    stop: async () => {
      await run("pg_ctl", ["stop", "-w", "-m", "immediate", "-D", data]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
