/** The three programs and how they are driven. */
import type { ServiceDefinition, EnvironmentContext, ListenerDefinition } from "../../config/system/definition.ts";
import { TEST_USER_SECRET } from "./api.ts";

export const SECRETS = { testUser: TEST_USER_SECRET, jwt: "jwt", pems: "pems-token" };

const HEALTH = { path: "/health", body: '"status":"healthy"', timeoutMs: 20_000 };

function common({ port, release, config, databaseUrl }: EnvironmentContext): Record<string, string> {
  return { PORT: String(port), RELEASE: release, DATABASE_URL: databaseUrl("pfa"), FAULTS_ENABLED: config["FAULTS_ENABLED"] ?? "0" };
}

export const services: Record<string, ServiceDefinition> = {
  worker: {
    kind: "worker",
    title: "pems-write-sync-worker",
    entry: "main.ts",
    databases: ["pfa"],
    health: HEALTH,
    stopGraceMs: 10_000,
    environment: (context) => ({
      ...common(context),
      PEMS_URL: context.config["PEMS_URL"] ?? "",
      PEMS_TOKEN: context.secret(SECRETS.pems),
    }),
  },
  backend: {
    kind: "service",
    title: "pfa-vanguard-backend",
    entry: "main.ts",
    databases: ["pfa"],
    health: HEALTH,
    stopGraceMs: 10_000,
    environment: (context) => ({
      ...common(context),
      JWT_SECRET: context.secret(SECRETS.jwt),
      TEST_USER_PASSWORD: context.secret(SECRETS.testUser),
    }),
  },
  frontend: { kind: "static", title: "pfavanguard-frontend", databases: [], stopGraceMs: 0 },
};

export const listeners: Record<string, ListenerDefinition> = {
  backend: { service: "backend", readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
  frontend: { service: "frontend", routes: { "/api": "backend" }, readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
};
