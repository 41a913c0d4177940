/** A system of plain values: what a program in another language than Node's hands over. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { secret } from "@pulumi/pulumi/output.js";
import { expect, onTestFinished, test, vi } from "vitest";
import { construct, SYSTEM_TOKEN } from "../../components/construct.ts";
import { packageSchema } from "../../components/package-schema.ts";
import { definePlain, PLAIN_MODULE } from "../../components/plain.ts";
import { DESCRIBE_VARIABLE, plainDefinition } from "../../config/program.ts";

const SHOP = {
  databases: { shop: { engine: "sqlite" } },
  services: {
    api: {
      command: ["python3", "app.py"],
      health: "/healthz",
      port: 8080,
      environment: { MODE: "fast" },
      databaseUrls: { SHOP_URL: "shop" },
      secrets: { STRIPE_KEY: "stripe", SALT: "salt" },
    },
    web: { site: true, port: 8081 },
    old: { start: ["systemctl", "start", "old"], stop: ["systemctl", "stop", "old"] },
  },
  generatedSecrets: ["salt"],
};

test("is the definition that a program of Node would give", async () => {
  const definition = definePlain("shop", SHOP, import.meta.dirname);
  expect(definition).toMatchObject({
    name: "shop",
    folder: import.meta.dirname,
    stopOrder: ["api", "web", "old"],
    ports: { api: 8080, web: 8081 },
    listeners: { api: { service: "api" }, web: { service: "web" } },
    secrets: { stripe: {}, salt: { generate: true } },
  });
  const { api, web, old } = definition.services;
  expect([api!.kind, web!.kind, old!.kind]).toEqual(["service", "static", "external"]);
  const context = {
    port: 1,
    release: "v1",
    config: {},
    databaseUrl: (name: string) => `url of ${name}`,
    secret: (name: string) => `key of ${name}`,
  };
  expect(api!.environment!(context)).toEqual({ MODE: "fast", SHOP_URL: "url of shop", STRIPE_KEY: "key of stripe", SALT: "key of salt" });
  expect(JSON.stringify(await plainDefinition(PLAIN_MODULE, { name: "shop", folder: import.meta.dirname, given: SHOP }))).toBe(
    JSON.stringify(definition),
  );
});

test.each([
  ["a typo", { api: { comand: ["a"] } }, /services\.api\.comand.*did you mean `command`/],
  ["no way to run", { api: { health: "/" } }, /services\.api:.*must have one of `command`, `site`, and `start` with `stop`/],
  ["two ways to run", { api: { command: ["a"], site: true } }, /services\.api:.*must have one of/],
  ["a start without a stop", { api: { start: ["a"] } }, /services\.api:.*must have one of/],
  [
    "another database",
    { api: { command: ["a"], databaseUrls: { URL: "shpo" } } },
    /services\.api\.databaseUrls\.URL: "shpo".*must be a database of the system: shop/,
  ],
  [
    "what a command of something else cannot have",
    { api: { start: ["a"], stop: ["b"], cwd: "x", secrets: { KEY: "key" } } },
    /services\.api\.cwd: "x".*has no effect here: it belongs to `command`\nservices\.api\.secrets: .*belongs to `command`/,
  ],
  [
    "what a service that backout runs cannot have",
    { api: { command: ["a"], install: ["b"] } },
    /services\.api\.install: .*has no effect here: it belongs to `start` with `stop`/,
  ],
  [
    "a grace of files, which nothing stops",
    { api: { site: true, stopGraceSeconds: 5 } },
    /services\.api\.stopGraceSeconds: 5 .*has no effect here: it belongs to `command`, or `start` with `stop`/,
  ],
  [
    "a variable named twice",
    { api: { command: ["a"], environment: { KEY: "plain" }, secrets: { KEY: "key" } } },
    /services\.api\.secrets\.KEY: "key".*`environment` has this variable, too: remove one/,
  ],
  ["a number as a command", { api: { command: 7 } }, /services\.api\.command: 7/],
])("%s is refused by path, value and what is allowed", (_, services, message) => {
  expect(() => definePlain("shop", { ...SHOP, services }, import.meta.dirname)).toThrow(message);
});

test("paths are relative to the folder that `main` of Pulumi.yaml names, as the verbs read them", () => {
  const project = mkdtempSync(join(tmpdir(), "backout-plain-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  mkdirSync(join(project, "app"));
  writeFileSync(join(project, "Pulumi.yaml"), "name: shop\nruntime: yaml\nmain: app\n");
  vi.spyOn(process, "cwd").mockReturnValue(project);
  vi.stubEnv(DESCRIBE_VARIABLE, join(project, "described.json"));
  onTestFinished(() => void vi.restoreAllMocks().unstubAllEnvs());
  expect(() => construct("shop", SYSTEM_TOKEN, SHOP, {})).toThrow(/the system is described/);
  expect(JSON.parse(readFileSync(join(project, "described.json"), "utf8"))).toMatchObject({ folder: join(project, "app") });
});

test("outputs and secrets are refused, and another component is not known", () => {
  const services = { api: { command: ["a"], environment: { KEY: secret("hidden") } } };
  expect(() => construct("shop", SYSTEM_TOKEN, { services }, {})).toThrow(/services\.api\.environment\.KEY: .*must be a plain value/);
  expect(() => construct("shop", "backout:index:Other", {}, {})).toThrow(/backout has no component backout:index:Other/);
});

test("the package's schema has every input, with its type and what it means", () => {
  const schema = JSON.parse(packageSchema()) as {
    types: Record<string, { properties: Record<string, { type: string; description: string }> }>;
    resources: Record<string, { isComponent: boolean; inputProperties: Record<string, unknown>; requiredInputs: string[] }>;
  };
  const system = schema.resources[SYSTEM_TOKEN]!;
  expect(system).toMatchObject({ isComponent: true, requiredInputs: ["services"] });
  expect(system.inputProperties["services"]).toMatchObject({
    type: "object",
    additionalProperties: { $ref: "#/types/backout:index:Service" },
    plain: true,
  });
  const { properties } = schema.types["backout:index:Service"]!;
  expect(properties["port"]).toEqual({ type: "integer", description: "The port its users reach it at." });
  expect(Object.values(properties).filter(({ type, description }) => !type || !description)).toEqual([]);
});
