/** API of v1.8.0. */
import { monitoringRoutes } from "../../../program/monitoring.ts";
import { startComponent } from "../../../program/start.ts";

await startComponent("radiation-monitoring", "v1.8.0", [], (surroundings) => ({ routes: monitoringRoutes(surroundings) }));
