/** The one program and how it is driven. */
import type { ServiceDefinition, ListenerDefinition } from "../../config/system/definition.ts";
import { ADMIN_SECRET, EMERGENCY_SECRET, TEST_USER_SECRET } from "./api.ts";

export const SECRETS = { admin: ADMIN_SECRET, testUser: TEST_USER_SECRET, emergency: EMERGENCY_SECRET, jwt: "jwt" };

export const services: Record<string, ServiceDefinition> = {
  app: {
    kind: "service",
    title: "orbis-forge-admin",
    entry: "main.ts",
    databases: ["production"],
    health: { path: "/health", body: '"status":"healthy"', timeoutMs: 20_000 },
    stopGraceMs: 10_000,
    environment: ({ port, release, config, databaseUrl, secret }) => ({
      PORT: String(port),
      RELEASE: release,
      DATABASE_URL: databaseUrl("production"),
      FAULTS_ENABLED: config["FAULTS_ENABLED"] ?? "0",
      JWT_SECRET: secret(SECRETS.jwt),
      ADMIN_PASSWORD: secret(SECRETS.admin),
      TEST_USER_PASSWORD: secret(SECRETS.testUser),
      EMERGENCY_KEY: secret(SECRETS.emergency),
    }),
  },
};

export const listeners: Record<string, ListenerDefinition> = {
  app: { service: "app", readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
};
