/** API of v1.9.0: doses by month. Has defects, which a drill switches on. */
import { API_DEFECTS, corruptDoses, faultyAnswers } from "../../../program/defects.ts";
import { monitoringRoutes } from "../../../program/monitoring.ts";
import { MEMORY_LEAK, startComponent } from "../../../program/start.ts";

await startComponent("radiation-monitoring", "v1.9.0", [...API_DEFECTS, MEMORY_LEAK], (surroundings) => {
  const { database, faults, log } = surroundings;
  return {
    routes: [
      ...monitoringRoutes(surroundings, corruptDoses(faults, database)),
      {
        method: "GET",
        path: "/api/radiation/trends",
        handle: async () => ({
          json: {
            trends: await database.read(
              `SELECT employee_number AS "employeeNumber", month, dose_msv::float8 AS "doseMsv", readings FROM dose_trends ORDER BY 1, 2 LIMIT 200`,
            ),
          },
        }),
      },
    ],
    intercept: faultyAnswers(faults, database, log),
  };
});
