/** Starts an embedded server that is down, as the update would: without it the state does not answer. */
import type { Site } from "../../config/site.ts";
import { ensureServer, observeServer } from "../../databases/embedded-server.ts";
import { say } from "./outcome.ts";

export async function startStoppedServer(site: Site): Promise<void> {
  if (site.server?.embedded !== true) return;
  if ((await observeServer(site)).state !== "stopped") return;
  say("the embedded PostgreSQL server is down: it is started");
  await ensureServer(site, say);
}
