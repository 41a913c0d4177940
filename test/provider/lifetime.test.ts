/** When the provider ends: as soon as nothing is in flight, and not before. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { observeProcess, stopProcess } from "../../processes/process.ts";
import {
  EXECUTABLE,
  heldDefinition,
  isAlive,
  REPOSITORY,
  siteAt,
  startEngine,
  startProvider,
  until,
  urnOf,
  type FakeEngine,
  type ProviderProcess,
  type StartOptions,
} from "./provider-process.ts";

const TRAFFIC_GATE = urnOf("TrafficGate", "gate");
/** How long the engine waits after SIGINT before it kills. */
const ENGINE_WAITS_MS = 5_000;

let folder: string;
let engine: FakeEngine;
let ports: number[];
let provider: ProviderProcess;
const home = (): string => join(folder, "home");
const gate = () => observeProcess(join(home(), "gate"), "gate");

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-lifetime-"));
  ports = await takeFreePorts(5);
  engine = await startEngine();
});
afterEach(async () => {
  await provider.kill();
  await stopProcess(join(home(), "gate"), "gate", 5_000);
  engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = async (options: Partial<StartOptions> = {}): Promise<void> => {
  provider = await startProvider({ engine, ...options });
};

/** As the engine ends a provider. */
async function endAsEngine(signal: NodeJS.Signals = "SIGINT"): Promise<NodeJS.Timeout> {
  await provider.cancel();
  process.kill(provider.pid, signal);
  return setTimeout(() => provider.isAlive() && process.kill(provider.pid, "SIGKILL"), ENGINE_WAITS_MS);
}

/** A create that stands still inside until it is let go. */
async function heldCreate() {
  const held = heldDefinition(join(folder, "held"));
  const answer = provider.create(TRAFFIC_GATE, { site: siteAt(home(), ports, { module: held.module }) });
  answer.catch(() => undefined);
  await until(held.reached);
  return { answer, go: held.go };
}

const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 800));

describe("the provider's end", () => {
  it.each<NodeJS.Signals>(["SIGINT", "SIGTERM"])(
    "idle, it ends by itself on Cancel and %s, before the engine would kill it",
    async (signal) => {
      await start();
      await provider.check(TRAFFIC_GATE, {}, { site: siteAt(home(), ports) });
      const killer = await endAsEngine(signal);
      expect(await provider.exited).toEqual({ code: 0, signal: null });
      clearTimeout(killer);
    },
  );

  it("Cancel alone does not end it: it comes on every normal end", async () => {
    await start();
    await provider.cancel();
    await aWhile();
    expect(await provider.read(TRAFFIC_GATE, "id", {})).toEqual({ id: "id", props: {} });
  });

  it("with an operation in flight it ends when that is done, and its answer has left", async () => {
    await start();
    const { answer, go } = await heldCreate();
    await provider.cancel();
    process.kill(provider.pid, "SIGINT");
    await aWhile();
    expect(provider.isAlive()).toBe(true);
    go();
    const { outs } = await answer;
    expect(outs["pid"]).toBe(gate().pid);
    expect(await provider.exited).toEqual({ code: 0, signal: null });
    expect(gate().running).toBe(true);
  });

  it("lines that are still to be told are told first", async () => {
    engine.close();
    engine = await startEngine(100);
    await start();
    const sha256 = "ab".repeat(32);
    const pin = { release: "v1", run: true, config: {}, artefact: { image: `sha256:${sha256}` } };
    const pins = {
      release: "v1",
      services: { worker: pin, backend: pin },
      data: {},
      needs: {},
      schema: "keep",
      flags: {},
      maintenance: { mode: "off", message: "" },
      snapshots: [],
    };
    const server = { embedded: false, host: "127.0.0.1", port: ports[4]!, user: "admin", driver: "dump", databases: {} };
    const site = siteAt(home(), ports, { server } as never);
    await Promise.all(
      ["1", "2", "3", "4"].map((name) =>
        provider.check(urnOf("Plan", name), {}, { site, pins, exact: false, asked: { order: null, scope: null } }),
      ),
    );
    const killer = await endAsEngine();
    expect(await provider.exited).toEqual({ code: 0, signal: null });
    clearTimeout(killer);
    expect(engine.lines.map(({ urn }) => urn).sort()).toEqual(["1", "2", "3", "4"].map((name) => urnOf("Plan", name)));
  });
});

describe("when the command line dies by SIGKILL", () => {
  it("the provider ends", async () => {
    await start({ viaParent: true });
    provider.parent!.kill("SIGKILL");
    await provider.gone();
    expect(provider.isAlive()).toBe(false);
  });

  it("it finishes the operation in flight first", async () => {
    await start({ viaParent: true });
    const { answer, go } = await heldCreate();
    provider.parent!.kill("SIGKILL");
    await aWhile();
    expect(provider.isAlive()).toBe(true);
    expect(gate().running).toBe(false);
    go();
    await provider.gone();
    await answer.catch(() => undefined);
    expect(gate().running).toBe(true);
  });

  it("also where it dies before the provider has loaded", async () => {
    await start();
    const between = spawn(
      process.execPath,
      [
        "-e",
        `const child = require("node:child_process").spawn(process.argv[1], [process.argv[2]], { stdio: "ignore" }); process.stdout.write(String(child.pid)); setInterval(() => {}, 1000);`,
        EXECUTABLE,
        engine.address,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const pid = await new Promise<number>((resolve) => between.stdout.once("data", (text) => resolve(Number(text))));
    // The shell has become Node, which has yet to load what watches its parent.
    await until(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("scripts/provider.ts"));
    between.kill("SIGKILL");
    try {
      await until(() => !isAlive(pid));
      expect(isAlive(pid)).toBe(false);
    } finally {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
  });
});

describe("a Node that is too old", () => {
  it("is told in one line", async () => {
    await start();
    const copy = join(folder, "package");
    for (const path of ["provider/pulumi-resource-backout", "scripts/pulumi/require-node.cjs", "config/load-late.cjs"]) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      cpSync(join(REPOSITORY, path), join(copy, path));
    }
    writeFileSync(join(copy, "scripts", "provider.ts"), "console.log('went on')");
    // A Node that says it is of another version and knows no newer options.
    const bin = join(folder, "bin");
    mkdirSync(bin);
    const old = `#!/bin/sh
case "$1" in -*) echo "node: bad option: $1" >&2; exit 9;; esac
exec ${process.execPath} -e 'Object.defineProperty(process, "versions", { value: { node: "18.20.4" } }); require(process.argv[1])' "$@"
`;
    writeFileSync(join(bin, "node"), old);
    chmodSync(join(bin, "node"), 0o755);
    for (const tool of ["sh", "dirname", "readlink"])
      symlinkSync(spawnSync("which", [tool], { encoding: "utf8" }).stdout.trim(), join(bin, tool));
    const { status, stdout, stderr } = spawnSync(join(copy, "provider", "pulumi-resource-backout"), ["127.0.0.1:1"], {
      encoding: "utf8",
      env: { PATH: bin },
    });
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/needs Node 22\.18 or newer, but this is Node 18\.20\.4/);
    expect(status).not.toBe(0);
  });
});
