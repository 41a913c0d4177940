/** CSV polling of v1.9.0. */
import { importNext } from "../../../program/polling.ts";
import { MEMORY_LEAK, number, startComponent } from "../../../program/start.ts";

const waitMs = number("CSV_POLL_MS");

await startComponent("csv-polling-service", "v1.9.0", [MEMORY_LEAK], ({ database, log }) => ({
  work: [async () => ((await importNext(database, log)) ? 0 : waitMs)],
}));
