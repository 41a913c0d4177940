import { setTimeout as sleep } from "node:timers/promises";
import { check, failed, passed } from "../../kit/outcome.ts";
import { vitals } from "../api.ts";
import { services } from "../services.ts";
import { DATABASE } from "../database.ts";

const SHARE_LIMIT = 0.95;
/** A pool that is busy for a moment is not exhausted. */
const LOOKS = 5;
const BETWEEN_MS = 100;

export const connections = check(
  "connections",
  "Database sessions do not run out: pg_stat_activity, and the pool of every service",
  async (context) => {
    const { rows } = await (
      await context.database(DATABASE)
    ).query<{ used: number; allowed: number }>(
      `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS allowed`,
    );
    const { used, allowed } = rows[0]!;
    if (used >= allowed * SHARE_LIMIT) return failed(`the server has ${used} of ${allowed} sessions; the limit is 95 %`);
    for (const name of Object.keys(services).filter((service) => context.running[service] !== false)) {
      const exhausted = await exhaustedPool(() => vitals(context, name));
      if (exhausted !== null) return failed(`${name}: ${exhausted}`);
    }
    return passed(`${used} of ${allowed} sessions; every service's pool has free ones`, { sessions: used });
  },
);

/** The problem of a pool without a free session in several samples; null: none. */
async function exhaustedPool(
  look: () => Promise<{ sessions: { max: number; total: number; idle: number; waiting: number } }>,
): Promise<string | null> {
  for (let looked = 1; ; looked += 1) {
    const { max, total, idle, waiting } = (await look()).sessions;
    if (total < max || idle > 0) return null;
    if (looked === LOOKS) return `all ${max} sessions are taken, ${waiting} requests wait for one`;
    await sleep(BETWEEN_MS);
  }
}
