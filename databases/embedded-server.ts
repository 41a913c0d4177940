/** The embedded PostgreSQL server of a stack. What runs it is loaded only for a stack that has one. */
import { EMBEDDED_USER, serverHome, serverOf, type Site } from "../config/site.ts";

const server = () => import("./postgres/server.ts");

/** Creates it where it is absent, starts it where it is down. */
export async function ensureServer(site: Site, log: (line: string) => void) {
  return (await server()).ensureServer({ home: serverHome(site), port: serverOf(site).port, superuser: EMBEDDED_USER, log });
}

export async function observeServer(site: Site) {
  return (await server()).observeServer(serverHome(site));
}

/** Stops it, or removes it with all it holds. */
export async function leaveServer(site: Site, choice: "keep" | "drop"): Promise<void> {
  const { removeServer, stopServer } = await server();
  if (choice === "keep") await stopServer(serverHome(site), { mode: "fast" });
  else await removeServer(serverHome(site));
}
