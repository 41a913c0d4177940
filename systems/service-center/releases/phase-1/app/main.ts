/** Phase 1: tickets. Knows nothing of tasks and templates. */
import { openDatabase } from "../../../../kit/database.ts";
import { portSetting, required } from "../../../../kit/environment.ts";
import { createLog } from "../../../../kit/log.ts";
import { loginRoute } from "../../../../kit/login.ts";
import { startService } from "../../../../kit/service.ts";
import { BASE_PAGES, pageRoutes } from "../../../program/pages.ts";
import { setupRoutes } from "../../../program/setup-routes.ts";
import { accounts } from "../../../program/tenants.ts";
import { ticketRoutes } from "../../../program/ticket-routes.ts";

const release = "phase-1";
const log = createLog("app", release);
const jwtSecret = required("JWT_SECRET");
const database = openDatabase(required("DATABASE_URL"), "service-center-app", log);

await startService({
  release,
  port: portSetting(),
  log,
  database,
  routes: [
    loginRoute(
      "/api/auth/login",
      accounts({ admin: required("ADMIN_PASSWORD"), secondTenant: required("SECOND_TENANT_PASSWORD") }),
      jwtSecret,
    ),
    ...setupRoutes(release, database, jwtSecret),
    ...ticketRoutes({ database, jwtSecret, workflow: null }),
    ...pageRoutes(BASE_PAGES, release),
  ],
});
