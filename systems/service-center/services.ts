/** The one program, its settings, and its public address. */
import type { ServiceDefinition, EnvironmentContext, ListenerDefinition } from "../../config/system/definition.ts";
import { DATABASE } from "./database.ts";

export const SECRETS = {
  admin: "admin-password",
  secondTenant: "second-tenant-password",
  jwt: "jwt",
  anonKey: "supabase-anon-key",
  serviceKey: "supabase-service-role-key",
};

/** Settings that are not secret: they stand in the ledger with the release, as lines of its environment file. */
const FROM_THE_LEDGER = /SUPABASE|SETUP|PHASE2/;

export function environment(context: Pick<EnvironmentContext, "config" | "secret">): Record<string, string> {
  const declared = Object.entries(context.config).filter(([name]) => FROM_THE_LEDGER.test(name));
  return {
    ...Object.fromEntries(declared),
    NEXT_PUBLIC_SUPABASE_ANON_KEY: context.secret(SECRETS.anonKey),
    SUPABASE_SERVICE_ROLE_KEY: context.secret(SECRETS.serviceKey),
  };
}

export const services: Record<string, ServiceDefinition> = {
  app: {
    kind: "service",
    title: "service-center-app",
    entry: "main.ts",
    databases: [DATABASE],
    health: { path: "/api/health", body: '"status":"healthy"', timeoutMs: 20_000 },
    stopGraceMs: 10_000,
    environment: (context) => ({
      ...environment(context),
      PORT: String(context.port),
      RELEASE: context.release,
      DATABASE_URL: context.databaseUrl(DATABASE),
      FAULTS_ENABLED: context.config["FAULTS_ENABLED"] ?? "0",
      JWT_SECRET: context.secret(SECRETS.jwt),
      ADMIN_PASSWORD: context.secret(SECRETS.admin),
      SECOND_TENANT_PASSWORD: context.secret(SECRETS.secondTenant),
    }),
  },
};

export const listeners: Record<string, ListenerDefinition> = {
  app: { service: "app", readOnlyAllow: [{ method: "POST", path: "/api/auth/login" }] },
};
