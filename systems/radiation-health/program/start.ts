/** What all five programs have in common: settings, database, log, vitals, and the switchboard of defects where a release has some. */
import type { Server } from "node:http";
import { openDatabase, type Database } from "../../kit/database.ts";
import { optional, portSetting, required } from "../../kit/environment.ts";
import { createFaultBoard, type FaultBoard } from "../../kit/faults.ts";
import type { Call, Reply, Route } from "../../kit/http.ts";
import { createLog, type Log } from "../../kit/log.ts";
import { startLoop, type Loop } from "../../kit/loop.ts";
import { startService } from "../../kit/service.ts";

/** A defect that takes memory lies in every newer program. */
export const MEMORY_LEAK = "memory-leak";

export interface Surroundings {
  release: string;
  log: Log;
  database: Database;
  /** Where this installation stands. */
  station: string;
  faults: FaultBoard;
}

export interface Parts {
  routes?: Route[];
  /** Pieces of work; each says how long to wait before the next, milliseconds. */
  work?: (() => Promise<number>)[];
  intercept?: (call: Call) => Promise<Reply | null>;
  attach?: (server: Server) => void;
  stop?: () => void;
}

const LEAK_STEP_BYTES = 16 * 1024 * 1024;
const LEAK_MS = 50;
const MEGABYTE = 1024 * 1024;

/** @param defects names of the defects this release of the program has; none without `FAULTS_ENABLED=1`. */
export async function startComponent(
  name: string,
  release: string,
  defects: readonly string[],
  build: (surroundings: Surroundings) => Parts,
): Promise<void> {
  const log = createLog(name, release);
  const database = openDatabase(required("DATABASE_URL"), name, log, number("DB_POOL_MAX"));
  const enabled = defects.length > 0 && optional("FAULTS_ENABLED") === "1";
  const faults = createFaultBoard(defects, enabled, log);
  const memoryLimitBytes = number("MEMORY_LIMIT_MB") * MEGABYTE;
  const {
    routes = [],
    work = [],
    intercept,
    attach,
    stop,
  } = build({ release, log, database, faults, station: optional("STATION") ?? "main" });
  const loops: Loop[] = [...work, ...(enabled ? [leak(faults, memoryLimitBytes)] : [])].map((piece) => startLoop(log, piece));
  await startService({
    release,
    port: portSetting(),
    log,
    database,
    routes: [vitalsRoute(database, memoryLimitBytes), ...routes, ...faults.routes],
    ...(intercept === undefined ? {} : { intercept }),
    ...(attach === undefined ? {} : { attach }),
    stop: async () => {
      stop?.();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  });
}

export function number(setting: string): number {
  const value = Number(required(setting));
  if (!Number.isFinite(value) || value < 0) throw new Error(`${setting} must be a number of 0 or more, not "${required(setting)}"`);
  return value;
}

function vitalsRoute(database: Database, memoryLimitBytes: number): Route {
  const handle = (): Reply => ({ json: { rssBytes: process.memoryUsage().rss, memoryLimitBytes, sessions: database.sessions() } });
  return { method: "GET", path: "/health/vitals", handle };
}

/** Up to just above its own limit: a leak that took the whole machine would end the drill instead of showing in it. */
function leak(faults: FaultBoard, limitBytes: number): () => Promise<number> {
  const held: Buffer[] = [];
  return () => {
    if (faults.isOn(MEMORY_LEAK) && process.memoryUsage().rss < limitBytes) held.push(Buffer.alloc(LEAK_STEP_BYTES, 1));
    return Promise.resolve(LEAK_MS);
  };
}
