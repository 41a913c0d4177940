/** Embedded servers to read dumps on: each use has one of its own, so that a preview disturbs no standby copy that is being made, and none outlives its use. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EMBEDDED_USER, type Site } from "../../../config/site.ts";
import { findBinaries } from "../../postgres/binaries.ts";
import type { Endpoint } from "../../../config/endpoint.ts";
import { DriverRefusedError } from "../errors.ts";
import type { Surroundings } from "../surroundings.ts";
import { serverRunner } from "../../../processes/run-as.ts";
import { lookUp } from "../../../processes/identity.ts";
import { freePortNow } from "../../../processes/ports.ts";

/** Counts the uses of this process. */
let uses = 0;

/** Runs `work` with a server that exists for as long as that takes. What killed runs left is removed first; what live ones use stays. */
export async function withScratchServer<T>(site: Site, work: (server: Endpoint) => Promise<T>): Promise<T> {
  const { ensureServer, removeServer } = await import("../../postgres/server.ts");
  const folder = join(site.home, "scratch");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(folder)) if (isLeft(name)) await removeServer(join(folder, name));
  const home = join(folder, ownName());
  try {
    const { port, passwordFile } = await ensureServer({ home, port: await freePortNow(), superuser: EMBEDDED_USER });
    return await work({ host: "127.0.0.1", port, user: EMBEDDED_USER, passwordFile });
  } finally {
    await removeServer(home);
  }
}

/** Names the process that uses it, so that one whose process is gone is known. */
function ownName(): string {
  return `${process.pid}_${startOf(process.pid)}_${++uses}`;
}

function isLeft(name: string): boolean {
  const [pid, start] = name.split("_");
  return startOf(Number(pid)) !== start;
}

/** When a process started, as part of a file's name; null where there is none. */
function startOf(pid: number): string | null {
  return lookUp(pid)?.startTime.replaceAll(/[^A-Za-z0-9]+/g, "-") ?? null;
}

/** Rows are read on a server of backout's own: what it could not hold would fail the export. @throws DriverRefusedError */
export async function refuseUnreadable(
  database: string,
  { extensions, foreignTypes }: Pick<Surroundings, "extensions" | "foreignTypes">,
): Promise<void> {
  const { folder } = await findBinaries(serverRunner());
  const files = join(folder, "..", "share", "postgresql", "extension");
  const reasons = [
    ...extensions
      .filter(({ name }) => !existsSync(join(files, `${name}.control`)))
      .map(
        ({ name }) =>
          `something of ours needs extension "${name}", which backout's own server, where rows are compared and exported, does not have`,
      ),
    ...foreignTypes.map((column) => `column ${column} is of a type in somebody else's schema: its rows could not be compared and exported`),
  ];
  if (reasons.length > 0) throw new DriverRefusedError(database, reasons);
}
