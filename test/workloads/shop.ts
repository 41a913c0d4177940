/** A small system for the tests of targets: one service, one worker without a port, one static service. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atTestEnd } from "../support/cleaning.ts";
import type { ServicePin } from "../../config/pins.ts";
import type { Site } from "../../config/site.ts";
import type { ServiceDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { freePort } from "../support/free-port.ts";

export const DIGEST = { v1: `sha256:${"1".repeat(64)}`, v2: `sha256:${"2".repeat(64)}`, worker: `sha256:${"3".repeat(64)}` };
export const IMAGE = {
  v1: `registry.example/api@${DIGEST.v1}`,
  v2: `registry.example/api@${DIGEST.v2}`,
  worker: `registry.example/worker@${DIGEST.worker}`,
};

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "backout-targets-"));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const services: Record<string, ServiceDefinition> = {
  api: {
    kind: "service",
    title: "API",
    databases: ["shop"],
    health: { path: "/health", body: '"ok"', timeoutMs: 10_000 },
    stopGraceMs: 1_500,
    environment: ({ port, databaseUrl, secret, release }) => ({
      PORT: String(port),
      RELEASE: release,
      DATABASE_URL: databaseUrl("shop"),
      TOKEN: secret("token"),
      DOCKER_HOST: "tcp://elsewhere.example:2375",
    }),
  },
  worker: { kind: "worker", title: "Worker", databases: [], stopGraceMs: 1_000 },
  site: { kind: "static", title: "Site", databases: [], stopGraceMs: 0 },
};

/** Only what a target reads of a definition. */
export function shop(changes: Partial<ServiceDefinition> = {}): SystemDefinition {
  const definition: Pick<SystemDefinition, "name" | "services" | "databases" | "secrets"> = {
    name: "shop",
    secrets: { token: { generate: true } },
    databases: { shop: { engine: "postgres", ledger: "prisma", migrations: [], tables: [], principalTable: "" } },
    services: { ...services, api: { ...services["api"]!, ...changes } },
  };
  return definition as SystemDefinition;
}

export async function newSite(changes: Partial<Site> = {}): Promise<Site> {
  const home = newFolder();
  return {
    stack: "shop-test",
    system: "shop",
    module: null,
    project: home,
    home,
    target: "docker",
    server: { embedded: false, host: "127.0.0.1", port: 5432, user: "admin", driver: "dump", databases: {} },
    files: {},
    ports: { api: await freePort() },
    ...changes,
  };
}

export function pinOf(release: string, image: string | undefined, config: Record<string, string> = {}): ServicePin {
  return { release, run: true, config, artefact: image === undefined ? {} : { image } };
}
