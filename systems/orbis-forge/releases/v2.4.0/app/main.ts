/** OrbisForge v2.4.0: projects, phases and progress; an administrators' page. The last stable release before Phase 3. */
import { adminRoutes } from "../../../program/admin.ts";
import { projectRoutes } from "../../../program/projects.ts";
import { start } from "../../../program/start.ts";

const RELEASE = "v2.4.0";

await start(RELEASE, ({ database, doorman }) => ({
  routes: [
    ...adminRoutes(database, doorman, { release: RELEASE, features: ["Projects", "Phases", "Progress", "Users"] }),
    ...projectRoutes({ database, doorman }),
  ],
}));
