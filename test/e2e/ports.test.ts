/** Ports that somebody else has: found before anything stops, by plain `pulumi up` and by verbs. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

let stand: Stand;
let other: Server;
let port: number;

beforeAll(async () => {
  [port] = (await takeFreePorts(1)) as [number];
  other = createServer((_request, response) => response.end("somebody else"));
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
  stand = await makeStand();
  await stand.upWell();
  await stand.upWell(PINS.forward);
});
afterAll(async () => {
  await new Promise((resolve) => other.close(resolve));
  await stand?.destroy();
});

test.each([
  [
    "a listener of the gate",
    "backend",
    /"the traffic gate for backend" cannot be started: port \d+ is held by process \d+; end it or declare another port/,
  ],
  ["a service's own", "backend-upstream", /"backend" cannot be started: port \d+ is held by process \d+; end it or declare another port/],
  ["a worker's", "worker", /"worker" cannot be started: port \d+ is held by process \d+/],
])("%s moves to it: refused, and everything goes on where it was", async (_what, name, reason) => {
  const before = stand.pids();
  const text = stand.text();
  const { code, output } = await stand.up([{ path: ["ports", name], value: port }]);
  expect(code).not.toBe(0);
  expect(output).toMatch(reason);
  expect(stand.pids()).toEqual(before);
  expect(await stand.version()).toBe("v4.0.0");
  // A restore leaves the worker stopped: it needs no port then.
  if (name === "worker") return stand.write(text);
  const verb = await stand.verb<{ error: { message: string } }>("rollback", "--to", "v3.0.0", "--scope", "restore", "--yes");
  expect(verb.code).toBe(3);
  expect(verb.json.error.message).toMatch(/port \d+ is held by process \d+/);
  expect(stand.pids()).toEqual(before);
  stand.write(text);
});
