/** What goes wrong when a rollback is a graph of a declarative engine: each trap its own test, on the real engine. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serverHome } from "../../declared/site.ts";
import { stopServer } from "../../postgres/server.ts";
import { stopProcess } from "../../processes/process.ts";
import { filesBelow, makeStand, PINS, until, type Stand } from "./stand.ts";

let stand: Stand;
let serial = 0;
const fresh = (): string => `T-${String(++serial).padStart(4, "0")}`;

beforeAll(async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.insertWell("BASE-1");
  await stand.upWell(PINS.forward);
});
afterAll(() => stand?.destroy());

async function newest(): Promise<string> {
  const last = (await stand.snapshots()).at(-1)!;
  return `${last.name}@${last.generation}`;
}

/** A port that is taken makes the backend fail to come up: a rollback that fails after the fence, as often as wanted. */
async function failingRollback(): Promise<void> {
  const failed = await stand.up([...PINS.restore(await newest()), { path: ["components", "backend", "config"], value: { PORT: "1" } }]);
  expect(failed.code, failed.output).not.toBe(0);
}
