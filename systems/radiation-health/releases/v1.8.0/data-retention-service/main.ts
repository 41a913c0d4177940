/** Data retention of v1.8.0. */
import { removeOld } from "../../../program/retention.ts";
import { number, startComponent } from "../../../program/start.ts";

const [days, waitMs] = [number("RETENTION_DAYS"), number("RETENTION_POLL_SECONDS") * 1000];

await startComponent("data-retention-service", "v1.8.0", [], ({ database, log }) => ({
  work: [
    async () => {
      const removed = await removeOld(database, days);
      if (removed > 0) log.info("readings removed", { removed, days });
      return waitMs;
    },
  ],
}));
