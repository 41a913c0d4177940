/** The manual names no program: the line service stands for the production line, and stopping production is stopping it behind a closed gate. */
import type { ServiceDefinition, ListenerDefinition } from "../../config/system/definition.ts";
import { OPERATOR_SECRET } from "./api.ts";
import { DATABASE } from "./database.ts";

export const SECRETS = { operator: OPERATOR_SECRET, jwt: "jwt" };

export const services: Record<string, ServiceDefinition> = {
  line: {
    kind: "service",
    title: "solar-panel-line",
    entry: "main.ts",
    databases: [DATABASE],
    health: { path: "/health", body: '"status":"healthy"', timeoutMs: 20_000 },
    stopGraceMs: 10_000,
    environment: ({ port, release, config, databaseUrl, secret }) => ({
      PORT: String(port),
      RELEASE: release,
      DATABASE_URL: databaseUrl(DATABASE),
      FAULTS_ENABLED: config["FAULTS_ENABLED"] ?? "0",
      JWT_SECRET: secret(SECRETS.jwt),
      OPERATOR_PASSWORD: secret(SECRETS.operator),
    }),
  },
};

export const listeners: Record<string, ListenerDefinition> = {
  line: { service: "line", readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
};
