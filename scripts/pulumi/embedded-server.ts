/** Starts an embedded server that is down, as the update would: without it the state does not answer. */
import { EMBEDDED_USER, serverHome, type Site } from "../../config/site.ts";
import { say } from "./outcome.ts";

export async function startStoppedServer(site: Site): Promise<void> {
  if (site.server?.embedded !== true) return;
  const { ensureServer, observeServer } = await import("../../databases/postgres/server.ts");
  if (observeServer(serverHome(site)).state !== "stopped") return;
  say("the embedded PostgreSQL server is down: it is started");
  await ensureServer({ home: serverHome(site), port: site.server.port, superuser: EMBEDDED_USER, log: say });
}
