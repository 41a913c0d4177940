/** Embedded servers to read dumps on: each use has one of its own, so that a preview disturbs no arming, and none outlives its use. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EMBEDDED_USER, type Site } from "../../../declared/site.ts";
import type { Endpoint } from "../../../postgres/connection.ts";
import { lookUp } from "../../../processes/identity.ts";
import { freePortNow } from "../../../processes/ports.ts";

/** Counts the uses of this process. */
let uses = 0;

/** Runs `work` with a server that exists for as long as that takes. What killed runs left is removed first; what live ones use stays. */
export async function withScratchServer<T>(site: Site, work: (server: Endpoint) => Promise<T>): Promise<T> {
  const { ensureServer, removeServer } = await import("../../../postgres/server.ts");
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
