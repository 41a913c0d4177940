/** Where what belongs to a database in place lies: sessions in it, and its dumps, read on a server of backout's own. */
import type { Client } from "pg";
import { endpointOf, liveName, type Site } from "../../../config/site.ts";
import { connect, withSession } from "../../postgres/connection.ts";
import { quote } from "../../shared/identifiers.ts";
import { restoreForReading } from "../restore.ts";
import { withScratchServer } from "./scratch.ts";

/** A session of the owner's in the live database, also inside the fence. */
export async function inDatabase<T>(site: Site, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  return withSession(endpointOf(site), liveName(site, database), work);
}

/**
 * Runs `work` with a session in each of these dumps, restored on a server of backout's own that exists for as long as that takes.
 */
export async function withScratch<T>(
  site: Site,
  database: string,
  folders: readonly string[],
  work: (sessions: Client[]) => Promise<T>,
): Promise<T> {
  return withScratchServer(site, async (scratch) => {
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
    }
  });
}
