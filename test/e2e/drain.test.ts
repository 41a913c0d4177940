/** Requests under way when an update begins: they finish before their service stops, up to a limit. */
import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/api.ts";
import { ORGANIZATION } from "../../systems/pfa-vanguard/api.ts";
import { ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, pause, PINS, until, type Stand } from "./stand.ts";

/** A backend that ends at once when it is told to, whatever it is answering. */
const ABRUPT = "v3.0.1";
let stand: Stand;

beforeAll(async () => {
  stand = await makeStand();
  const release = makeRelease(stand.folder, {
    from: "v3.0.0",
    version: ABRUPT,
    alter: (service, text) => (service === "backend" ? `process.on("SIGTERM", () => process.exit(0));\n${text}` : text),
  });
  await stand.upWell([await ledgerEntry(release, ABRUPT, SYNC_MIGRATION)]);
});
afterAll(() => stand?.destroy());

/** An insert whose body comes in two parts. */
function slowInsert(token: string, id: string) {
  const body = JSON.stringify({
    organizationId: ORGANIZATION,
    pfaId: id,
    category: "Equipment",
    description: "slow",
    monthlyRate: 1,
    durationMonths: 1,
  });
  const call = request(`${stand.url("backend")}/api/pfa-data`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), authorization: `Bearer ${token}` },
  });
  const status = new Promise<number | string>((resolve) => {
    call.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  call.write(body.slice(0, 20));
  return { status, finish: () => call.end(body.slice(20)) };
}

async function underWay(): Promise<number> {
  return ((await (await stand.ask("/__backout/gate")).json()) as { inFlight: number }).inFlight;
}

const drained = async (): Promise<unknown> => {
  const journal = await stand.journal((await stand.last())!.epoch);
  const names = journal.filter(({ phase, status }) => phase === "fence" && status === "finished").map(({ step }) => step);
  expect(names.indexOf("drain")).toBeGreaterThanOrEqual(0);
  expect(names.indexOf("drain")).toBeLessThan(names.indexOf("stop and confirm stopped"));
  return journal.find(({ step, status }) => step === "drain" && status === "finished")?.detail;
};

test("an insert that is under way when the gate closes is carried out and acknowledged", async () => {
  await stand.upWell([{ path: ["release"], value: ABRUPT }]);
  const slow = slowInsert(await stand.login(), "SLOW-1");
  await until("it is under way", async () => (await underWay()) === 1);
  const update = stand.up([{ path: ["release"], value: "v3.0.0" }]);
  await until("users are out", () => stand.gate()?.mode === "closed");
  await pause(500);
  slow.finish();
  expect(await slow.status).toBe(200);
  expect((await update).code).toBe(0);
  expect(await drained()).toMatchObject({ drained: true, inFlight: 0 });
  expect(await stand.ids()).toContain("SLOW-1");
});

test("one that never finishes holds the update up to the limit, and that is told", async () => {
  await stand.upWell([...PINS.forward, { path: ["release"], value: ABRUPT }]);
  const slow = slowInsert(await stand.login(), "SLOW-2");
  await until("it is under way", async () => (await underWay()) === 1);
  const update = await stand.up([{ path: ["release"], value: "v3.0.0" }]);
  expect(update.code).toBe(0);
  expect(update.output).toContain("1 requests are still under way after 5 s: they end with their services");
  expect(await drained()).toMatchObject({ drained: false, inFlight: 1 });
  expect(await slow.status).not.toBe(200);
  expect(await stand.ids()).not.toContain("SLOW-2");
});
