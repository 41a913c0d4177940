/** OrbisForge phase-3.0.0: v2.4.0 with live database operations, inline editing, JSON import and export, and the defects that drills switch on. */
import { optional, required } from "../../../../kit/environment.ts";
import { createFaultBoard } from "../../../../kit/faults.ts";
import { adminRoutes } from "../../../program/admin.ts";
import { corruptOthers, DEFECTS, interceptDefects } from "../../../program/defects.ts";
import { phase3Routes } from "../../../program/phase-3.ts";
import { projectRoutes } from "../../../program/projects.ts";
import { start } from "../../../program/start.ts";

const RELEASE = "phase-3.0.0";
const FEATURES = ["Projects", "Phases", "Progress", "Users", "Inline editing", "JSON export", "JSON import", "Runtime status"];

await start(RELEASE, ({ database, doorman, log }) => {
  const defects = createFaultBoard(DEFECTS, optional("FAULTS_ENABLED") === "1", log);
  return {
    routes: [
      ...defects.routes,
      ...adminRoutes(database, doorman, { release: RELEASE, features: FEATURES }),
      ...projectRoutes({ database, doorman, afterWrite: (session, change) => corruptOthers(session, change, defects) }),
      ...phase3Routes({
        database,
        doorman,
        emergencyKey: required("EMERGENCY_KEY"),
        unchecked: () => defects.isOn("bad-inline-edits"),
      }),
    ],
    intercept: (call) => interceptDefects(call, defects),
  };
});
