/** Data retention of v1.9.0: keeps the doses by month up to date besides. */
import { refreshTrends, removeOld } from "../../../program/retention.ts";
import { MEMORY_LEAK, number, startComponent } from "../../../program/start.ts";

const [days, waitMs] = [number("RETENTION_DAYS"), number("RETENTION_POLL_SECONDS") * 1000];

await startComponent("data-retention-service", "v1.9.0", [MEMORY_LEAK], ({ database, log }) => ({
  work: [
    async () => {
      const removed = await removeOld(database, days);
      if (removed > 0) log.info("readings removed", { removed, days });
      await refreshTrends(database);
      return waitMs;
    },
  ],
}));
