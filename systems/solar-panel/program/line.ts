/** The line service: what every release of it has in common. */
import { openDatabase } from "../../kit/database.ts";
import { optional, portSetting, required } from "../../kit/environment.ts";
import { createFaultBoard, type FaultBoard } from "../../kit/faults.ts";
import { createLog } from "../../kit/log.ts";
import { loginRoute } from "../../kit/login.ts";
import { startService } from "../../kit/service.ts";
import { panelRoutes, type Line } from "./panels.ts";

/** @param defects names of the defects a drill can switch on. */
export async function startLine(release: string, defects: readonly string[], line: (faults: FaultBoard) => Line): Promise<void> {
  const log = createLog("line", release);
  const jwtSecret = required("JWT_SECRET");
  const database = openDatabase(required("DATABASE_URL"), "solar-panel-line", log);
  const faults = createFaultBoard(defects, defects.length > 0 && optional("FAULTS_ENABLED") === "1", log);
  await startService({
    release,
    port: portSetting(),
    log,
    database,
    routes: [
      loginRoute("/api/auth/login", { username: "line-operator", password: required("OPERATOR_PASSWORD") }, jwtSecret),
      ...panelRoutes(database, jwtSecret, log, line(faults)),
      ...faults.routes,
    ],
  });
}
