/** Where what belongs to a database in place lies: sessions in it, dumps on backout's side, a scratch server to read dumps on. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { EMBEDDED_USER, endpointOf, liveName, type Site } from "../../../declared/site.ts";
import { connect, quote, withSession } from "../../../postgres/connection.ts";
import { restoreForReading } from "../../../postgres/in-place/restore.ts";
import { freePortNow } from "../../../processes/ports.ts";

/** A session of the owner's in the live database, also inside the fence. */
export async function inDatabase<T>(site: Site, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  return withSession(endpointOf(site), liveName(site, database), work);
}

/**
 * Runs `work` with a session in each of these dumps, restored on an embedded server of backout's own that exists for as long as that takes.
 * `undefined` stands for no dump.
 */
export async function withScratch<T>(
  site: Site,
  database: string,
  folders: readonly string[],
  work: (sessions: Client[]) => Promise<T>,
): Promise<T> {
  const { ensureServer, removeServer } = await import("../../../postgres/server.ts");
  const home = join(site.home, "scratch");
  // What a killed run left is not trusted.
  if (existsSync(home)) await removeServer(home);
  const server = await ensureServer({ home, port: await freePortNow(), superuser: EMBEDDED_USER });
  const scratch = { host: "127.0.0.1", port: server.port, user: EMBEDDED_USER, passwordFile: server.passwordFile };
  const sessions: Client[] = [];
  try {
    for (const [index, folder] of folders.entries()) {
      const name = `dump_${index}`;
      await withSession(scratch, "postgres", (client) => client.query(`CREATE DATABASE ${quote(name)} TEMPLATE template0`));
      await inDatabase(site, database, (client) =>
        restoreForReading({ client, endpoint: endpointOf(site) }, folder, { endpoint: scratch, database: name }),
      );
      sessions.push(await connect(scratch, name));
    }
    return await work(sessions);
  } finally {
    for (const session of sessions) await session.end().catch(() => undefined);
    await removeServer(home);
  }
}
