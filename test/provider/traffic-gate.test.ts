/** The gate's process when its configuration changes: users are never refused for it, also where the change cannot be made. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Site } from "../../config/site.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { askGate } from "../../traffic/drain.ts";
import { observeProcess, stopProcess } from "../../processes/process.ts";
import { siteAt, startEngine, startProvider, urnOf, type FakeEngine, type ProviderProcess, type Values } from "./provider-process.ts";

const TRAFFIC_GATE = urnOf("TrafficGate", "gate");

let folder: string;
let engine: FakeEngine;
let provider: ProviderProcess;
let ports: number[];
let site: Site;
let made: Values;
let other: Server | null = null;

const gate = () => observeProcess(join(folder, "home", "gate"), "gate");
const url = (port: number): string => `http://127.0.0.1:${port}`;
const inputsWith = (changed: Record<string, number>): Values => ({
  ...made,
  site: { ...site, ports: { ...site.ports, ...changed } },
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-traffic-gate-"));
  ports = await takeFreePorts(7);
  engine = await startEngine();
  provider = await startProvider({ engine });
  site = siteAt(join(folder, "home"), ports);
  made = (await provider.check(TRAFFIC_GATE, {}, { site })).inputs;
  await provider.create(TRAFFIC_GATE, made);
});
afterEach(async () => {
  await provider.kill();
  await stopProcess(join(folder, "home", "gate"), "gate", 5_000);
  engine.close();
  await new Promise((resolve) => (other === null ? resolve(null) : other.close(resolve)));
  other = null;
  rmSync(folder, { recursive: true, force: true });
});

/** Asks again and again until it is told to stop; how often nobody answered. */
function keepAsking(port: number): () => Promise<number> {
  let asking = true;
  let refused = 0;
  const asked = (async () => {
    while (asking) {
      await askGate(url(port)).catch(() => refused++);
      await sleep(2);
    }
  })();
  return async () => {
    asking = false;
    await asked;
    return refused;
  };
}

test("a change that cannot be made, found only when it is made, leaves the gate serving what it served", async () => {
  const before = gate();
  const taken = ports[5]!;
  other = createServer((_request, response) => response.end("somebody else"));
  await new Promise<void>((resolve) => other!.listen(taken, "127.0.0.1", resolve));
  const stop = keepAsking(site.ports["backend"]!);
  // The backend's listener stays where it is, the frontend's cannot be had.
  await expect(provider.update(TRAFFIC_GATE, made, inputsWith({ frontend: taken }))).rejects.toThrow(
    new RegExp(`the traffic gate is unchanged: .*port ${taken} .*"frontend" is already in use`),
  );
  expect(await stop()).toBe(0);
  expect(gate()).toMatchObject({ running: true, pid: before.pid, configHash: before.configHash });
  expect((await askGate(url(site.ports["frontend"]!))).pid).toBe(before.pid);
  // Put back, there is nothing to do.
  expect(await provider.diff(TRAFFIC_GATE, made, made)).toBe(1);
  await new Promise((resolve) => other!.close(resolve));
  expect(await provider.update(TRAFFIC_GATE, made, inputsWith({ frontend: taken }))).toMatchObject({ pid: before.pid });
  expect((await askGate(url(taken))).pid).toBe(before.pid);
});

test("a listener moves, and what stays where it was is never refused", async () => {
  const before = gate();
  const moved = inputsWith({ frontend: ports[5]!, "backend-upstream": ports[6]! });
  const stop = keepAsking(site.ports["backend"]!);
  expect(await provider.diff(TRAFFIC_GATE, made, moved)).toBe(2);
  expect(await provider.update(TRAFFIC_GATE, made, moved)).toMatchObject({ pid: before.pid });
  expect(await stop()).toBe(0);
  expect((await askGate(url(ports[5]!))).pid).toBe(before.pid);
  await expect(askGate(url(site.ports["frontend"]!))).rejects.toThrow(/does not answer/);
  expect(await provider.diff(TRAFFIC_GATE, moved, moved)).toBe(1);
  // Every port at once, and two that change places.
  const back = inputsWith({ frontend: site.ports["backend"]!, backend: ports[5]! });
  expect(await provider.update(TRAFFIC_GATE, moved, back)).toMatchObject({ pid: before.pid });
  expect((await askGate(url(site.ports["backend"]!))).pid).toBe(before.pid);
});
