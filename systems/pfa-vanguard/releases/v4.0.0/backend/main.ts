/** Backend v4.0.0: every write also goes to the queue for PEMS. Has defects, which a drill switches on. */
import { openDatabase } from "../../../../kit/database.ts";
import { optional, portSetting, required } from "../../../../kit/environment.ts";
import { createFaultBoard } from "../../../../kit/faults.ts";
import { createLog } from "../../../../kit/log.ts";
import { loginRoute } from "../../../../kit/login.ts";
import { startLoop } from "../../../../kit/loop.ts";
import { startService } from "../../../../kit/service.ts";
import { BACKEND_FAULTS, corruptOthers, enqueueAgain, faultyAnswers, leak } from "../../../program/backend-faults.ts";
import { keepAndEnqueue } from "../../../program/history.ts";
import { recordRoutes } from "../../../program/record-routes.ts";
import { syncRoutes } from "../../../program/sync-routes.ts";

const release = "v4.0.0";
const log = createLog("backend", release);
const jwtSecret = required("JWT_SECRET");
const database = openDatabase(required("DATABASE_URL"), "pfa-vanguard-backend", log);
const faulty = optional("FAULTS_ENABLED") === "1";
const faults = createFaultBoard(BACKEND_FAULTS, faulty, log);
const loops = faulty ? [startLoop(log, () => enqueueAgain(faults, database)), startLoop(log, leak(faults))] : [];

await startService({
  release,
  port: portSetting(),
  log,
  database,
  intercept: faultyAnswers(faults, log),
  routes: [
    loginRoute("/api/auth/login", { username: "test-user", password: required("TEST_USER_PASSWORD") }, jwtSecret),
    ...recordRoutes(database, jwtSecret, keepAndEnqueue, corruptOthers(faults, database, log)),
    ...syncRoutes(database, jwtSecret),
    ...faults.routes,
  ],
  stop: async () => void (await Promise.all(loops.map((loop) => loop.stop()))),
});
