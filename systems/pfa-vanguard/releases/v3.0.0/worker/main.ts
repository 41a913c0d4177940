/** Worker v3.0.0: keeps an eye on the data. Reads only; nothing goes to PEMS in this release. */
import { openDatabase } from "../../../../kit/database.ts";
import { portSetting, required } from "../../../../kit/environment.ts";
import { createLog } from "../../../../kit/log.ts";
import { startLoop } from "../../../../kit/loop.ts";
import { startService } from "../../../../kit/service.ts";

const release = "v3.0.0";
const log = createLog("worker", release);
const database = openDatabase(required("DATABASE_URL"), "pems-write-sync-worker", log);
const loop = startLoop(log, async () => {
  await database.read("SELECT max(updated_at) FROM feature_flags");
  return 2000;
});

await startService({ release, port: portSetting(), log, database, routes: [], stop: () => loop.stop() });
