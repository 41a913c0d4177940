/** The graph as it is registered: types, names, inputs, and the order of one update as explicit dependencies. */
import type { Output } from "@pulumi/pulumi/output.js";
import { MockMonitor, setMocks } from "@pulumi/pulumi/runtime/mocks.js";
import { disconnect } from "@pulumi/pulumi/runtime/settings.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import { System, type Declared } from "../../components/system.ts";
import { withSetup } from "../../workloads/setup.ts";
import { planRollout } from "../../config/make-plan.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import type { StackConfig } from "../../config/schema.ts";
import { siteOf } from "../../config/site.ts";
import { RESOURCES } from "../../provider/resources/index.ts";
import { secret } from "../../provider/wire.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { newFolder } from "../workloads/shop.ts";
import { configOf, definition as pfa } from "../config/sample.ts";

interface Registered {
  type: string;
  name: string;
  parent: string;
  /** Names of what it waits for. */
  after: string[];
  inputs: Record<string, unknown>;
}

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> };
}

afterEach(() => vi.restoreAllMocks());

/** The last part of a urn. */
const nameOf = (urn: string): string => urn.split("::").at(-1)!;
const key = ({ type, name }: Pick<Registered, "type" | "name">): string => `${type.split(":").at(-1)!} ${name}`;
const valueOf = <T>(output: Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

async function valuesOf<T>(outputs: Record<string, Output<T>>): Promise<Record<string, T>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(outputs).map(async ([name, output]) => [name, await valueOf(output)] as const)),
  );
}

/** What the provider answers: inputs, and the outputs the rest of the graph uses. */
function answer(type: string, inputs: Record<string, unknown>, args: Declared & { definition: SystemDefinition }): Record<string, unknown> {
  if (type === "backout:index:Database")
    return {
      ...inputs,
      lineage: { snapshot: null, quarantine: inputs["database"] },
      quarantine: `${String(inputs["database"])}_set_aside`,
    };
  if (type === "backout:index:Snapshots") return { ...inputs, taken: [{ database: "pfa", name: "before-v4.0.0", generation: 2 }] };
  if (type !== "backout:index:Fence") return inputs;
  const { definition, pins } = args;
  const facts = { exists: true, lineage: { snapshot: null, quarantine: null }, applied: [], failed: [] };
  const databases = Object.fromEntries(Object.keys(definition.databases).map((name) => [name, facts]));
  return {
    ...inputs,
    epoch: 7,
    plan: planRollout({ definition, from: null, to: pins, unfinished: false, order: [], scope: null, databases, snapshots: [] }),
  };
}

async function registered(change: Record<string, unknown> = {}, definition: SystemDefinition = pfa) {
  const config: StackConfig = configOf(change);
  const args = {
    config,
    definition,
    pins: resolvePins(config, definition),
    site: siteOf(config, "test", newFolder()),
    order: null,
  };
  const all: Registered[] = [];
  const prototype = MockMonitor.prototype as unknown as {
    registerResource: (this: unknown, request: Request, done: unknown) => Promise<void>;
  };
  const { registerResource: register } = prototype;
  vi.spyOn(prototype, "registerResource").mockImplementation(function (this: unknown, request: Request, done: unknown) {
    all.push({
      type: request.getType(),
      name: request.getName(),
      parent: nameOf(request.getParent()),
      after: request.getDependenciesList().map(nameOf).sort(),
      inputs: request.getObject().toJavaScript(),
    });
    return register.call(this, request, done);
  });
  await setMocks(
    {
      newResource: ({ type, name, inputs }) => ({ id: name, state: answer(type, inputs as Record<string, unknown>, args) }),
      call: () => ({}),
    },
    "shop",
    "test",
    false,
  );
  const stack = new System("shop", definition, undefined, args);
  const outputs = {
    epoch: await valueOf(stack.epoch),
    data: await valuesOf(stack.data),
    snapshots: await valueOf(stack.snapshots),
    quarantines: await valuesOf(stack.quarantines),
  };
  await disconnect();
  vi.restoreAllMocks();
  return { all: all.filter(({ type }) => !type.startsWith("pulumi:")), outputs, args };
}

describe("the graph of one update", () => {
  it("every type and name, each a type of the provider, below the service", async () => {
    const { all, outputs } = await registered();
    expect(all.map(key).sort()).toEqual(
      [
        "System shop",
        "EmbeddedPostgres server",
        "TrafficGate gate",
        "Plan plan",
        "Fence fence",
        "Snapshots snapshots",
        "Database pfa",
        "Flags flags",
        "Service backend",
        "Service frontend",
        "Service worker",
        "Start start",
        "Verification verification",
        "Open open",
        "Finalize finalize",
      ].sort(),
    );
    const own = all.filter(({ name }) => name !== "shop");
    // Constraints have a resource only where the system declares some.
    const types = RESOURCES.map(({ token }) => token).filter((token) => token !== "backout:index:Constraints");
    expect([...new Set(own.map(({ type }) => type))].sort()).toEqual(types.sort());
    expect(new Set(own.map(({ parent }) => parent))).toEqual(new Set(["shop"]));
    expect(outputs).toEqual({
      epoch: 7,
      data: { pfa: "quarantine:pfa" },
      snapshots: ["before-v4.0.0@2 of pfa"],
      quarantines: { pfa: "pfa_set_aside" },
    });
  });

  it("the order is explicit: everything waits for all of the step before", async () => {
    const { all } = await registered();
    expect(Object.fromEntries(all.map(({ name, after }) => [name, after]))).toEqual({
      shop: [],
      server: [],
      gate: [],
      plan: ["gate", "server"],
      fence: ["plan"],
      snapshots: ["fence"],
      pfa: ["fence", "snapshots"],
      flags: ["fence", "pfa", "snapshots"],
      backend: ["fence", "pfa", "snapshots"],
      worker: ["fence", "pfa", "snapshots"],
      frontend: ["fence", "pfa", "snapshots"],
      start: ["backend", "fence", "flags", "frontend", "worker"],
      verification: ["fence", "start"],
      open: ["fence", "verification"],
      finalize: ["fence", "open"],
    });
  });

  it("with several databases nothing is installed before the last of them is done", async () => {
    const two = { ...pfa, databases: { ...pfa.databases, audit: pfa.databases["pfa"]! } };
    const { all, outputs } = await registered({}, two);
    for (const name of ["flags", "backend", "worker", "frontend"])
      expect(all.find((one) => one.name === name)!.after).toEqual(["audit", "fence", "pfa", "snapshots"]);
    // One after another: the cut-over of each is a transaction in the session they share.
    expect(all.find(({ name }) => name === "audit")!.after).toEqual(["fence", "pfa", "snapshots"]);
    expect(outputs.data).toEqual({ pfa: "quarantine:pfa", audit: "quarantine:audit" });
    expect(outputs.snapshots).toEqual(["before-v4.0.0@2 of pfa"]);
    expect(outputs.quarantines).toEqual({ pfa: "pfa_set_aside", audit: "audit_set_aside" });
  });

  it("images are fetched before anything is fenced", async () => {
    const sha256 = "ab".repeat(32);
    const image = `registry.example/app@sha256:${sha256}`;
    const { releases } = configOf();
    const services = { ...releases["v4.0.0"]!.services, backend: { image }, worker: { image } };
    const { all } = await registered({ target: "docker", releases: { "v4.0.0": { ...releases["v4.0.0"], services } } });
    const images = all.filter(({ type }) => type.startsWith("docker:") || type.includes("Image")).map(({ name }) => name);
    expect(images.length).toBeGreaterThan(0);
    for (const name of images) expect(all.find((one) => one.name === name)!.after).toEqual(["plan"]);
    expect(all.find(({ name }) => name === "fence")!.after).toEqual([...images, "plan"].sort());
  });

  it("what comes after the fence belongs to its epoch, and does what it planned", async () => {
    const { all, args } = await registered({ backups: { snapshots: ["audit"] } });
    const inputs = (name: string) => all.find((one) => one.name === name)!.inputs;
    for (const { name } of all.filter(({ name }) => !["shop", "server", "gate", "plan", "fence"].includes(name)))
      expect(inputs(name), name).toMatchObject({ epoch: 7 });
    expect(inputs("snapshots")["take"]).toEqual([
      { name: "before-v4.0.0", automatic: true },
      { name: "audit", automatic: false },
    ]);
    expect(inputs("pfa")).toMatchObject({
      database: "pfa",
      plan: { action: { kind: "none" }, up: args.definition.databases["pfa"]!.migrations.map(({ name }) => name) },
    });
    expect(inputs("backend")).toMatchObject({ service: "backend", pin: args.pins.services["backend"] });
    for (const name of ["plan", "fence", "start", "verification"])
      expect(JSON.parse(inputs(name)["pins"] as string), name).toEqual(withSetup(args.pins, args.site, args.definition));
  });

  it("what the pins name is never dropped by retention", async () => {
    const pinned = async (data: unknown) => (await registered({ data })).all.find(({ name }) => name === "finalize")!.inputs["pinned"];
    expect(await pinned("current")).toEqual([]);
    expect(await pinned("quarantine:pfa_quarantine_3")).toEqual(["pfa_quarantine_3"]);
  });

  it("a server of one's own is not managed, and its password is a secret wherever it goes", async () => {
    const { all } = await registered({ server: { host: "db.example", user: "admin" }, serverPassword: "hunter2" });
    expect(all.map(({ name }) => name)).not.toContain("server");
    expect(all.find(({ name }) => name === "plan")!.after).toEqual(["gate"]);
    const own = all.filter(({ name }) => name !== "shop");
    for (const { name, inputs } of own) expect(inputs["site"], name).toEqual(secret(expect.stringContaining("hunter2")));
    for (const { name, inputs } of all) expect(JSON.stringify({ ...inputs, site: null }), name).not.toContain("hunter2");
  });
});
