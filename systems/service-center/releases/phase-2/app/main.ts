/** Phase 2: tickets with tasks made from templates, where its flags say so. Has defects, which a drill switches on. */
import { openDatabase } from "../../../../kit/database.ts";
import { optional, portSetting, required } from "../../../../kit/environment.ts";
import { createFaultBoard } from "../../../../kit/faults.ts";
import { createLog } from "../../../../kit/log.ts";
import { loginRoute } from "../../../../kit/login.ts";
import { startService } from "../../../../kit/service.ts";
import { APP_FAULTS, corruptOthers, faultyAnswers } from "../../../program/faults.ts";
import { BASE_PAGES, PHASE_2_PAGES, pageRoutes } from "../../../program/pages.ts";
import { setupRoutes } from "../../../program/setup-routes.ts";
import { taskRoutes } from "../../../program/task-routes.ts";
import { accounts } from "../../../program/tenants.ts";
import { ticketRoutes } from "../../../program/ticket-routes.ts";

const release = "phase-2";
const log = createLog("app", release);
const jwtSecret = required("JWT_SECRET");
const database = openDatabase(required("DATABASE_URL"), "service-center-app", log);
const faults = createFaultBoard(APP_FAULTS, optional("FAULTS_ENABLED") === "1", log);
const pages = PHASE_2_PAGES.filter(({ path }) => optional(path === "/templates" ? "PHASE2_TEMPLATES" : "PHASE2_MY_TASKS") === "on");

await startService({
  release,
  port: portSetting(),
  log,
  database,
  intercept: faultyAnswers(faults, log),
  routes: [
    loginRoute(
      "/api/auth/login",
      accounts({ admin: required("ADMIN_PASSWORD"), secondTenant: required("SECOND_TENANT_PASSWORD") }),
      jwtSecret,
    ),
    ...setupRoutes(release, database, jwtSecret),
    ...ticketRoutes({ database, jwtSecret, workflow: "received", afterWrite: corruptOthers(faults, database, log) }),
    ...taskRoutes(database, jwtSecret),
    ...pageRoutes([...BASE_PAGES, ...pages], release),
    ...faults.routes,
  ],
});
