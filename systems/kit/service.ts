/** A program's life: health endpoints, listening, and an orderly end on SIGTERM. */
import type { Server } from "node:http";
import { createHttpServer, listen, type HttpOptions, type Route, type Traffic } from "./http.ts";
import { describeError } from "./log.ts";
import type { Database } from "./database.ts";

export interface ServiceOptions extends Omit<HttpOptions, "routes"> {
  /** The release this code is. */
  release: string;
  port: number;
  routes: Route[];
  database: Database | null;
  /** Adds WebSockets to the server. Called before it listens. */
  attach?: (server: Server) => void;
  /** Ends other work than requests; awaited before the database is closed. */
  stop?: () => Promise<void>;
}

/** Starts listening and resolves with the port; from then on SIGTERM and SIGINT end the program with exit code 0. */
export async function startService(options: ServiceOptions): Promise<number> {
  const { log, database } = options;
  const http = createHttpServer({
    ...options,
    routes: [...healthRoutes(options.release, database, () => http.traffic), ...options.routes],
  });
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { signal });
    await Promise.all([http.drain(), options.stop?.()]);
    await database?.end();
    log.info("stopped");
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      stop(signal).catch((error: unknown) => {
        log.error("did not stop in order", describeError(error));
        process.exit(1);
      });
    });
  options.attach?.(http.server);
  const port = await listen(http.server, options.port);
  log.info("listening", { port });
  return port;
}

function healthRoutes(release: string, database: Database | null, traffic: () => Traffic): Route[] {
  const routes: Route[] = [
    { method: "GET", path: "/health", handle: () => ({ json: { status: "healthy", version: release } }) },
    {
      method: "GET",
      path: "/health/metrics",
      handle: () => {
        const { rss, heapUsed } = process.memoryUsage();
        const sessions = database === null ? {} : { sessions: database.sessions() };
        return { json: { rssBytes: rss, heapUsedBytes: heapUsed, uptimeSeconds: Math.round(process.uptime()), ...traffic(), ...sessions } };
      },
    },
  ];
  if (database !== null) routes.push({ method: "GET", path: "/health/db", handle: () => databaseHealth(database) });
  return routes;
}

async function databaseHealth(database: Database) {
  try {
    await database.read("SELECT 1");
    return { json: { status: "healthy" } };
  } catch (error) {
    return { status: 503, json: { status: "unhealthy", ...describeError(error) } };
  }
}
