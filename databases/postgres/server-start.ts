/** Starts an embedded server that exists, and waits until it accepts connections. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { connect } from "./connection.ts";
import { UnreachableError } from "../shared/unreachable.ts";
import { anyProcessIn, clearStalePidFile, findPostmaster } from "./postmaster.ts";
import { runAs, type Runner } from "../../processes/run-as.ts";
import { ServerPortError, ServerStartError } from "./server-errors.ts";
import type { Layout } from "../../config/server-home.ts";
import { writeSettings } from "./server-settings.ts";

/** How long a start waits for crash recovery to end. */
export const RECOVERY_TIMEOUT_MS = 10 * 60_000;

export async function start(layout: Layout, binaries: Binaries, runner: Runner | null, port: number, superuser: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  // After kill -9 of the postmaster its orphans take a moment to notice, and hold the shared memory until then.
  while (findPostmaster(layout.data) === null && anyProcessIn(layout.data) && Date.now() < deadline) await sleep(25);
  clearStalePidFile(layout.data);
  writeSettings(layout, runner, port);
  for (;;) {
    const from = existsSync(layout.log) ? readFileSync(layout.log).length : 0;
    const { code, output } = await runAs(
      runner,
      join(binaries.folder, "pg_ctl"),
      ["start", "-W", "-s", "-D", layout.data, "-l", layout.log],
      layout.folder,
    );
    if (code !== 0) throw new ServerStartError(`pg_ctl start failed with exit code ${code}`, output.trim() || tailOf(layout));
    try {
      return await untilAccepting(layout, superuser, port);
    } catch (error) {
      const said = readFileSync(layout.log).subarray(from).toString("utf8");
      const orphans =
        /pre-existing shared memory block|lock file "postmaster.pid" already exists|is another postmaster/i.test(said) &&
        findPostmaster(layout.data) === null;
      if (!orphans || Date.now() > deadline) throw error;
      await sleep(250);
      clearStalePidFile(layout.data);
    }
  }
}

/** Waits through crash recovery, and makes sure that the server that answers is this one. */
export async function untilAccepting(layout: Layout, superuser: string, port: number): Promise<void> {
  const deadline = Date.now() + RECOVERY_TIMEOUT_MS;
  const endpoint = { host: "127.0.0.1", port, user: superuser, passwordFile: layout.passwordFile };
  let absentSince: number | null = null;
  for (;;) {
    try {
      const client = await connect(endpoint, "postgres");
      const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory").finally(() => client.end());
      if (rows[0]?.data_directory === layout.data) return;
      throw new ServerPortError(`port ${port} is answered by another PostgreSQL (${rows[0]?.data_directory}): choose another port`, port);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (["28P01", "28000", "3D000"].includes(error.code)) throw error;
      // The child of pg_ctl needs a moment to write its process id.
      absentSince = findPostmaster(layout.data) ? null : (absentSince ?? Date.now());
      const gone = absentSince !== null && Date.now() - absentSince > 1_500 && !anyProcessIn(layout.data);
      if (gone || Date.now() > deadline) {
        throw new ServerStartError(
          `the server in ${layout.folder} does not accept connections on port ${port} (${error.message}); see ${layout.log}`,
          tailOf(layout),
        );
      }
      await sleep(40);
    }
  }
}

export function tailOf(layout: Layout): string {
  return existsSync(layout.log) ? readFileSync(layout.log, "utf8").trimEnd().split("\n").slice(-15).join("\n") : "";
}
