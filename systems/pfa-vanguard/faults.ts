/** What a drill breaks: defects of v4.0.0, switched on over HTTP, or by a feature flag for the worker, which has no listener. */
import { setTimeout as sleep } from "node:timers/promises";
import { createContext, runInContext } from "node:vm";
import type { DrillContext, FaultDefinition } from "../../config/system/drill.ts";
import { bodyOf } from "../kit/client.ts";
import { accessOf, asUser, FaultNotSwitchedError, inTurn, switchOf, written } from "../kit/fault-switch.ts";
import { rowsProbe, slowProbe } from "../kit/probes.ts";
import { burst, list, login, ORGANIZATION, request, rssBytes, type Row } from "./api.ts";

const RELEASE = "v4.0.0";
const switchOn = switchOf({ service: "backend", release: RELEASE });

/** @throws FaultNotSwitchedError */
const switchWorker = (name: string) => async (context: DrillContext) => {
  try {
    const flag = "INSERT INTO feature_flags (flag_name, enabled) VALUES ($1, true) ON CONFLICT (flag_name) DO UPDATE SET enabled = true";
    await (await context.database("pfa")).query(flag, [`fault:${name}`]);
  } catch (error) {
    throw new FaultNotSwitchedError(name, RELEASE, error);
  }
};

const post = (category: string) =>
  written({ service: "backend", login }, "/api/pfa-data", (pfaId) => ({
    ...{ organizationId: ORGANIZATION, pfaId, category },
    description: "made by a drill",
  }));

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
const LEAK_BYTES = 300 * 2 ** 20;

const QUEUE_ROWS = 1000;
/** Long enough for several rounds of enqueuing, and for a worker that drains to show. */
const BETWEEN_MS = 1000;

async function pending(context: DrillContext): Promise<number> {
  const database = await context.database("pfa");
  const known = await database.query("SELECT WHERE to_regclass('pfa_write_queue') IS NOT NULL");
  if (known.rowCount === 0) return 0;
  const { rows } = await database.query<{ rows: number }>("SELECT count(*)::int AS rows FROM pfa_write_queue WHERE status = 'pending'");
  return rows[0]!.rows;
}

/** v4.0.0's page knows four categories, and shows no row at all when one row has another. */
const UNKNOWN_CATEGORY = "Permits";

/** Runs the page's own script on the data, as a browser would; what it throws is what users see as an empty page. */
function render(script: string, rows: Row[]): string | null {
  try {
    const page = createContext({ rows: JSON.stringify(rows) });
    const html: unknown = runInContext(`${script}\n;renderRows(JSON.parse(rows))`, page, { timeout: 1000 });
    return typeof html === "string" && html.includes("<table>") ? null : "the page's script shows no table";
  } catch (error) {
    return `the page's script fails on ${rows.length} rows: ${(error as { message?: string }).message ?? String(error)}`;
  }
}

export const FAULTS: Record<string, FaultDefinition> = {
  "corrupting-writes": {
    title: "Every write silently damages other rows",
    scope: "restore",
    switchOn: inTurn(switchOn("corrupting-writes"), post("Equipment")),
    probe: rowsProbe(
      "pfa",
      "# records whose total is not rate times months",
      "pfa_records WHERE total_cost <> monthly_rate * duration_months",
    ),
  },
  "error-rate": {
    title: "Three of ten requests answer 500",
    scope: "quick",
    switchOn: switchOn("error-rate", { share: 0.3 }),
    probe: asUser(login, async (access, token) => {
      const { requests, errors } = await burst(access, token, 40, 4);
      return errors / requests > 0.1 ? `${errors} of ${requests} requests failed: above 10 %` : null;
    }),
  },
  "slow-responses": {
    title: "Requests take most of a second",
    scope: "backend",
    switchOn: switchOn("slow-responses", { delayMs: 800 }),
    probe: slowProbe(async (access) => burst(access, await login(access), 8, 4), 500),
  },
  "memory-leak": {
    title: "The backend leaks memory",
    scope: "quick",
    switchOn: switchOn("memory-leak"),
    probe: async (context) => {
      const rss = await rssBytes(accessOf(context));
      return rss > LEAK_BYTES ? `the backend has ${mebibytes(rss)} MiB resident: above ${mebibytes(LEAK_BYTES)} MiB` : null;
    },
  },
  "growing-queue": {
    title: "The worker stops draining while changes are enqueued continuously",
    scope: "worker",
    switchOn: inTurn(switchWorker("growing-queue"), switchOn("growing-queue")),
    probe: async (context) => {
      const before = await pending(context);
      if (before <= QUEUE_ROWS) return null;
      await sleep(BETWEEN_MS);
      const after = await pending(context);
      return after > before ? `${after} rows wait in the queue, ${after - before} more than ${BETWEEN_MS} ms before` : null;
    },
  },
  "dead-worker": {
    title: "The sync worker crashes at every start",
    scope: "worker",
    switchOn: switchWorker("dead-worker"),
    probe: async (context) =>
      !context.runs("worker") || (await context.observe("worker")).running ? null : "the worker's process has ended",
  },
  "broken-sync": {
    title: "The main feature of the release does not work",
    scope: "full",
    switchOn: switchOn("broken-sync"),
    probe: asUser(login, async (access, token) => {
      const response = await request(access, token, "/api/sync/status");
      await response.text();
      return response.status >= 500 ? `GET /api/sync/status answers ${response.status}` : null;
    }),
  },
  "broken-frontend": {
    title: "The page fails to show the data",
    scope: "frontend",
    switchOn: inTurn(post(UNKNOWN_CATEGORY)),
    probe: asUser(login, async (access, token, context) => {
      const rows = [...(await list(access, token, { limit: "50" })), ...(await list(access, token, { category: UNKNOWN_CATEGORY }))];
      return render(await bodyOf("GET /rows.js", await access.fetch(`${context.url("frontend")}/rows.js`)), rows);
    }),
  },
};
