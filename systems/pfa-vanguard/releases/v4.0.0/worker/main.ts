/** Worker v4.0.0: drains the write queue to PEMS. Its defects are feature flags `fault:<name>`, because it has no users to be told by. */
import { openDatabase } from "../../../../kit/database.ts";
import { optional, portSetting, required } from "../../../../kit/environment.ts";
import { createLog } from "../../../../kit/log.ts";
import { startLoop } from "../../../../kit/loop.ts";
import { startService } from "../../../../kit/service.ts";
import { pushNext } from "../../../program/push.ts";

const IDLE_MS = 200;
const release = "v4.0.0";
const log = createLog("worker", release);
const database = openDatabase(required("DATABASE_URL"), "pems-write-sync-worker", log);
const pemsUrl = optional("PEMS_URL");
const pems = pemsUrl === null ? null : { url: pemsUrl, token: required("PEMS_TOKEN") };
if (pems === null) log.info("PEMS_URL is not set: the queue is kept, nothing is pushed");

let stuck = false;
const loops = [
  startLoop(log, async () => {
    if (pems === null || stuck) return IDLE_MS;
    return (await pushNext(database, pems, log)) ? 0 : IDLE_MS;
  }),
];
if (optional("FAULTS_ENABLED") === "1")
  loops.push(
    startLoop(log, async () => {
      const rows = await database.read<{ flag_name: string }>(
        "SELECT flag_name FROM feature_flags WHERE enabled AND flag_name LIKE 'fault:%'",
      );
      const on = rows.map((row) => row.flag_name);
      stuck = on.includes("fault:growing-queue");
      if (on.includes("fault:dead-worker")) {
        log.error("out of handles, giving up");
        process.exit(1);
      }
      return IDLE_MS;
    }),
  );

await startService({
  release,
  port: portSetting(),
  log,
  database,
  routes: [],
  stop: async () => void (await Promise.all(loops.map((loop) => loop.stop()))),
});
