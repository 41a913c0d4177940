/** The five services and how they are driven. */
import type { ServiceDefinition, EnvironmentContext, ListenerDefinition } from "../../config/system/definition.ts";
import { SOCKET_PATH, TEST_USER_SECRET } from "./api.ts";
import { DATABASE } from "./database.ts";
import { settingsOf } from "./settings.ts";

export const SECRETS = { testUser: TEST_USER_SECRET, jwt: "jwt" };

const HEALTHY = { body: '"status":"healthy"', timeoutMs: 20_000 };

function common({ port, release, config, databaseUrl }: EnvironmentContext): Record<string, string> {
  return {
    PORT: String(port),
    RELEASE: release,
    DATABASE_URL: databaseUrl(DATABASE),
    FAULTS_ENABLED: config["FAULTS_ENABLED"] ?? "0",
    ...settingsOf(config),
  };
}

const service = (kind: "service" | "worker", title: string, healthPath = "/health"): ServiceDefinition => ({
  kind,
  title,
  entry: "main.ts",
  databases: [DATABASE],
  health: { path: healthPath, ...HEALTHY },
  stopGraceMs: 10_000,
  environment: common,
});

export const services: Record<string, ServiceDefinition> = {
  "radiation-monitoring": {
    ...service("service", "API of the monitoring system", "/api/health"),
    environment: (context) => ({
      ...common(context),
      JWT_SECRET: context.secret(SECRETS.jwt),
      TEST_USER_PASSWORD: context.secret(SECRETS.testUser),
    }),
  },
  "csv-polling-service": service("worker", "Turns dosimeter files into readings"),
  "data-retention-service": service("worker", "Deletes old readings"),
  "websocket-service": service("service", "Sends alerts to all connected clients"),
  "anomaly-detection-service": service("worker", "Judges readings and raises alerts"),
};

/** Every one of them writes to the database, so all are stopped before it is touched; first those nobody waits for. */
export const STOP_ORDER = [
  "csv-polling-service",
  "anomaly-detection-service",
  "data-retention-service",
  "websocket-service",
  "radiation-monitoring",
];

export const listeners: Record<string, ListenerDefinition> = {
  "radiation-monitoring": { service: "radiation-monitoring", readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
  // Clients only listen.
  "websocket-service": { service: "websocket-service", readOnlyAllow: [{ method: "UPGRADE", path: SOCKET_PATH }] },
};
