/** The settings of an embedded server. */
import { chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Runner } from "../../processes/run-as.ts";
import { writeWhole } from "./server-home.ts";
import type { Layout } from "../../config/server-home.ts";

/** A path of a socket may have about 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_BYTES = 100;

/** What `initdb`'s own configuration does not say; passed at each start, so that a changed port needs no edited file. */
export function serverSettings(folder: string, port: number): Record<string, string> {
  const sockets = Buffer.byteLength(join(folder, `.s.PGSQL.${port}.lock`)) <= SOCKET_PATH_BYTES && !/[,'"\s]/.test(folder) ? folder : "";
  return {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: sockets,
    max_connections: "200",
    max_prepared_transactions: "20",
    wal_level: "replica",
    fsync: "on",
    logging_collector: "off",
    log_line_prefix: "%m [%p] %q%u@%d ",
  };
}

function settingsText(settings: Record<string, string>): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return ["# Written by backout before each start: changes belong into postgresql.conf below the include.", ...lines, ""].join("\n");
}

export function writeSettings(layout: Layout, runner: Runner | null, port: number): void {
  const own = join(layout.data, "backout.conf");
  const main = join(layout.data, "postgresql.conf");
  const text = readFileSync(main, "utf8");
  const files: [string, string][] = [[own, settingsText(serverSettings(layout.folder, port))]];
  if (!text.includes("include 'backout.conf'")) files.push([main, `${text}\ninclude 'backout.conf'\n`]);
  for (const [path, content] of files) {
    writeWhole(path, content, 0o600);
    if (runner) chownSync(path, runner.uid, runner.gid);
  }
}
