/** The API. Releases differ in what they add to it. */
import { required } from "../../kit/environment.ts";
import type { Reply, Route } from "../../kit/http.ts";
import { describeError } from "../../kit/log.ts";
import { loginRoute } from "../../kit/login.ts";
import { measurementRoutes } from "./measurements.ts";
import { personnelRoutes } from "./personnel.ts";
import type { Surroundings } from "./start.ts";

export function monitoringRoutes(surroundings: Surroundings, afterWrite?: () => Promise<void>): Route[] {
  const { database } = surroundings;
  const jwtSecret = required("JWT_SECRET");
  return [
    healthRoute(surroundings),
    loginRoute("/api/auth/login", { username: "test-user", password: required("TEST_USER_PASSWORD") }, jwtSecret),
    ...personnelRoutes(database, jwtSecret, afterWrite),
    ...measurementRoutes(database, jwtSecret),
  ];
}

function healthRoute({ database, release, station }: Surroundings): Route {
  const handle = async (): Promise<Reply> => {
    try {
      await database.read("SELECT 1");
      return { json: { status: "healthy", version: release, station } };
    } catch (error) {
      return { status: 503, json: { status: "unhealthy", version: release, station, ...describeError(error) } };
    }
  };
  return { method: "GET", path: "/api/health", handle };
}
