/** CSV polling of v1.8.0. */
import { importNext } from "../../../program/polling.ts";
import { number, startComponent } from "../../../program/start.ts";

const waitMs = number("CSV_POLL_MS");

await startComponent("csv-polling-service", "v1.8.0", [], ({ database, log }) => ({
  work: [async () => ((await importNext(database, log)) ? 0 : waitMs)],
}));
