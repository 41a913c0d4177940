/** What the engine is answered, over the wire of the real executable. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pins } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import type { Site } from "../../config/site.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { RESOURCES } from "../../provider/resources/index.ts";
import { configOf, definition } from "../config/sample.ts";
import {
  keptOf,
  secret,
  siteAt,
  startEngine,
  startProvider,
  UNKNOWN,
  urnOf,
  type FakeEngine,
  type ProviderProcess,
  type Values,
} from "./provider-process.ts";

const PASSWORD = "correct-horse-battery-staple";
const TRAFFIC_GATE = urnOf("TrafficGate", "gate");
const PLAN = urnOf("Plan");
/** Nothing is declared besides the pins. */
const asked = { order: ["v3.0.0", "v4.0.0"], scope: null } as unknown;

let folder: string;
let engine: FakeEngine;
let provider: ProviderProcess;
let site: Site;
let pins: Pins;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-provider-"));
  site = siteAt(join(folder, "home"), await takeFreePorts(5));
  pins = await pinsWithArtefacts(join(folder, "releases"));
  engine = await startEngine();
  provider = await startProvider({ engine });
});
afterAll(async () => {
  await provider.delete(TRAFFIC_GATE, { site }).catch(() => undefined);
  await provider.kill();
  engine.close();
  rmSync(folder, { recursive: true, force: true });
});

async function pinsWithArtefacts(releases: string): Promise<Pins> {
  const ledger = structuredClone(configOf().releases);
  for (const [release, { services }] of Object.entries(ledger))
    for (const [service, artefact] of Object.entries(services)) {
      artefact.path = join(releases, release, service);
      mkdirSync(artefact.path, { recursive: true });
      writeFileSync(join(artefact.path, "main.ts"), `// ${service} ${release}\n`);
      artefact.sha256 = await hashFolder(artefact.path);
    }
  return resolvePins(configOf({ releases: ledger }), definition);
}

/** A server that is not embedded and does not answer, with a password as Pulumi hands secrets over. */
function external(password: unknown): Values {
  return {
    ...site,
    server: { embedded: false, host: "127.0.0.1", port: site.ports["worker"], user: "admin", password, driver: "dump", databases: {} },
  };
}

/** Everything outside the wrappers of secrets. */
function plainText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && "4dabf18193072939515e22adb298388d" in inner ? "(secret)" : inner,
  );
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

describe("secrets", () => {
  const inputs = (): Values => ({ site: external(secret(PASSWORD)) });

  it("check unwraps them for its own use and wraps them again", async () => {
    const { inputs: checked, failures } = await provider.check(PLAN, {}, { ...inputs(), pins, exact: false, asked });
    expect(failures).toEqual([]);
    // What check adds shows that it ran with the value, not with its wrapper.
    expect(checked).toMatchObject({ reached: false, site: { server: { password: secret(PASSWORD) } } });
    expect(plainText(checked)).not.toContain(PASSWORD);
  });

  it("create and update wrap them in outputs, and leave none in the stack's folder", async () => {
    const { id, outs } = await provider.create(TRAFFIC_GATE, inputs());
    expect(id).toBe("gate");
    expect(outs["site"]).toEqual(inputs()["site"]);
    expect(plainText(outs)).not.toContain(PASSWORD);
    const updated = await provider.update(TRAFFIC_GATE, outs, inputs());
    expect(updated).toEqual(outs);
    const files = filesBelow(site.home);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(readFileSync(file, "utf8"), file).not.toContain(PASSWORD);
  });

  it("a whole map that is secret stays one", async () => {
    const whole = { site: secret(external(PASSWORD)) };
    const updated = await provider.update(TRAFFIC_GATE, whole, whole);
    expect(updated["site"]).toEqual(whole.site);
    expect(plainText(updated)).not.toContain(PASSWORD);
  });

  it("what could not be made, but has something to be ended, is kept by the engine with them wrapped", async () => {
    const failed = async (type: string): Promise<unknown> =>
      provider.create(urnOf(type), { ...inputs(), pins, epoch: 1 }).then(
        () => expect.unreachable(`${type} was made`),
        (error: unknown) => error,
      );
    const kept = keptOf(await failed("Start"));
    expect(kept).toMatchObject({ id: "start", properties: { epoch: 1, site: { server: { password: secret(PASSWORD) } } } });
    expect(kept?.reasons).toEqual([expect.stringContaining("127.0.0.1")]);
    expect(plainText(kept)).not.toContain(PASSWORD);
    // What leaves nothing running is forgotten: the next update makes it.
    expect(keptOf(await failed("Verification"))).toBeNull();
  });

  it("the log lines of all this are without", () => {
    expect(engine.lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(engine.lines)).not.toContain(PASSWORD);
  });
});

describe("values that are not known yet in a preview", () => {
  it.each(["TrafficGate", "EmbeddedPostgres", "Plan", "Fence"])("check of %s goes on without them and hands them back", async (type) => {
    for (const unknown of [{ site: external(UNKNOWN) }, { site: external(secret(UNKNOWN)) }, { site: UNKNOWN }, { site, pins: UNKNOWN }]) {
      const news = { pins: pins as unknown, exact: false, newWrites: "export", reason: null, ...unknown };
      const { inputs, failures } = await provider.check(urnOf(type), {}, news);
      expect(failures).toEqual([]);
      expect(inputs).toMatchObject(news);
    }
  });

  it("diff says that something changes", async () => {
    for (const { token } of RESOURCES)
      expect(await provider.diff(urnOf(token.split(":")[2]!), { site, epoch: 1 }, { site, epoch: UNKNOWN })).toBe(2);
  });

  it("an operation refuses to work with one", async () => {
    await expect(provider.create(TRAFFIC_GATE, { site: external(UNKNOWN) })).rejects.toThrow(/not known/);
  });
});

describe("outputs", () => {
  it("of create and update are all inputs and every declared output", async () => {
    const { outs } = await provider.create(TRAFFIC_GATE, { site });
    expect(outs).toEqual({ site, pid: expect.any(Number) as number });
    expect(await provider.update(TRAFFIC_GATE, outs, { site })).toEqual(outs);
    expect(await provider.diff(TRAFFIC_GATE, outs, { site })).toBe(1);
  });

  it("read never says gone, whatever it is of and whatever is known of it", async () => {
    for (const { token } of RESOURCES) {
      const urn = urnOf(token.split(":")[2]!);
      for (const props of [{}, { site, epoch: 3, secret: secret(PASSWORD) } as unknown as Values])
        expect(await provider.read(urn, "the id", props)).toEqual({ id: "the id", props });
    }
  });
});

describe("refusals", () => {
  it("a check that fails says why, once for each reason", async () => {
    const broken = structuredClone(pins);
    broken.services["backend"]!.artefact.path = join(folder, "nowhere");
    broken.services["worker"]!.artefact.sha256 = "00".repeat(32);
    const { failures } = await provider.check(PLAN, {}, { site, pins: broken, exact: false, asked });
    expect(failures.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^the artefact of backend v4\.0\.0 is missing: folder .*nowhere not found/),
      expect.stringMatching(/^the artefact of worker v4\.0\.0 in .* differs from what was recorded: expected sha256 0{64}/),
    ]);
  });

  it("a type that does not exist is named beside those that do", async () => {
    await expect(provider.check(urnOf("Fense"), {}, {})).rejects.toThrow(
      /no resource type backout:index:Fense; known are .*backout:index:Fence/,
    );
  });

  it("without reach a preview works and warns, an update is refused before anything stops", async () => {
    const before = engine.lines.length;
    const news = { site: external(secret(PASSWORD)), pins, exact: false, asked } as Values;
    const { inputs } = await provider.check(PLAN, {}, news);
    await settled(before + 1);
    expect(engine.lines.slice(before)).toEqual([
      { severity: 2, urn: PLAN, message: expect.stringMatching(/cannot be reached, so data at risk is unknown/) as string },
    ]);
    await expect(provider.create(PLAN, inputs)).rejects.toThrow(/Nothing was stopped/);
  });
});

describe("log lines", () => {
  it("stand beside the resource they are of, in the order they were said", async () => {
    const before = engine.lines.length;
    await provider.check(PLAN, {}, { site, pins, exact: false, asked });
    await settled(before + 6);
    const lines = engine.lines.slice(before);
    expect(new Set(lines.map(({ urn }) => urn))).toEqual(new Set([PLAN]));
    expect(lines.map(({ message }) => message)).toEqual([
      "nothing → v4.0.0",
      "backend: new at v4.0.0",
      "frontend: new at v4.0.0",
      "worker: new at v4.0.0",
      "pfa: made new",
      "pfa: schema: empty → 20251128000003_phase4_bidirectional_sync_infrastructure",
      expect.stringMatching(/^pfa: migrations applied: 20250601000001_initial, /),
      expect.stringMatching(/^users get 503 for about /),
    ]);
  });
});

async function settled(count: number): Promise<void> {
  while (engine.lines.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
