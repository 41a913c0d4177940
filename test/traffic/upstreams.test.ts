/** Where the gate sends requests of a service that chooses its port when it starts. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { setUpstream, upstreamOf, upstreamsFile } from "../../traffic/upstreams.ts";
import { ask, startGate, startUpstream } from "./stand.ts";

test("a service that chose its port is found there from the next request on; a file that cannot be read changes nothing", async () => {
  const [first, second] = [await startUpstream("first"), await startUpstream("second")];
  const gate = await startGate([
    { kind: "proxy", service: "api", upstreamPort: first.port },
    { kind: "proxy", service: "web", upstreamPort: 9 },
  ]);
  const answers = async (): Promise<(string | number)[]> => [
    (await ask(`${gate.urls[0]}/a`)).body,
    (await ask(`${gate.urls[1]}/a`)).status,
  ];
  expect(await answers()).toEqual(["first GET /a ", 502]);
  setUpstream(gate.stateFile, "api", second.port);
  setUpstream(gate.stateFile, "web", second.port);
  expect(await answers()).toEqual(["second GET /a ", 200]);
  expect([upstreamOf(gate.stateFile, "api"), upstreamOf(gate.stateFile, "none")]).toEqual([second.port, null]);
  setUpstream(gate.stateFile, "api", null);
  expect(await answers()).toEqual(["first GET /a ", 200]);
  for (const bad of ["", "{", '{"api": 0}', '{"web": "x"}', "[]"]) {
    writeFileSync(upstreamsFile(gate.stateFile), bad);
    expect(await answers(), bad).toEqual(["first GET /a ", 502]);
  }
});
