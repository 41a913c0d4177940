/** Backend v3.0.0: PFA data in and out. Knows nothing of synchronisation, and ignores its tables where they exist. */
import { openDatabase } from "../../../../kit/database.ts";
import { portSetting, required } from "../../../../kit/environment.ts";
import { createLog } from "../../../../kit/log.ts";
import { loginRoute } from "../../../../kit/login.ts";
import { startService } from "../../../../kit/service.ts";
import { keepHistory } from "../../../program/history.ts";
import { recordRoutes } from "../../../program/record-routes.ts";

const release = "v3.0.0";
const log = createLog("backend", release);
const jwtSecret = required("JWT_SECRET");
const database = openDatabase(required("DATABASE_URL"), "pfa-vanguard-backend", log);

await startService({
  release,
  port: portSetting(),
  log,
  database,
  routes: [
    loginRoute("/api/auth/login", { username: "test-user", password: required("TEST_USER_PASSWORD") }, jwtSecret),
    ...recordRoutes(database, jwtSecret, keepHistory),
  ],
});
