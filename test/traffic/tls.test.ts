import { copyFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, expect, test, vi } from "vitest";
import { parseGateConfig, type GateConfigInput } from "../../traffic/config.ts";
import { openGate, type Gate } from "../../traffic/gate.ts";
import { newPass, writeGateState } from "../../traffic/state.ts";
import { readTls } from "../../traffic/tls.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { selfSigned } from "./certificate.ts";
import { ask, newFolder, startUpstream, stateWith } from "./stand.ts";

const NO_OPENSSL = "no openssl on this machine";
let gate: Gate | null = null;
afterEach(async () => {
  await gate?.close();
  gate = null;
});

interface Answer {
  status: number;
  body: string;
  /** Common name of the certificate. */
  name: string;
}

/** A request of a new connection that accepts exactly the certificates `ca`. */
function askTls(port: number, ca: string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path: "/items", ca, agent: false }, (response) => {
      const name = (response.socket as TLSSocket).getPeerCertificate().subject.CN;
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode!, body, name: String(name) }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

test("users come by HTTPS, checks by HTTP on 127.0.0.1; both are kept out alike; a new certificate is taken without a break", async (context) => {
  const folder = newFolder();
  const [first, second] = [selfSigned(folder, "first"), selfSigned(folder, "second")];
  if (first === null || second === null) return context.skip(NO_OPENSSL);
  const files = { certificate: join(folder, "shop.crt"), key: join(folder, "shop.key") };
  const use = (part: "certificate" | "key", pair: typeof first) => copyFileSync(pair[part], files[part]);
  use("certificate", first);
  use("key", first);
  const upstream = await startUpstream("api");
  const stateFile = join(folder, "state.json");
  writeGateState(stateFile, stateWith(newPass().passHash));
  const [own, users] = await takeFreePorts(2);
  const listener = { kind: "proxy" as const, service: "api", port: own!, upstreamPort: upstream.port };
  const config: GateConfigInput = { stateFile, listeners: [listener, { ...listener, host: "0.0.0.0", port: users!, tls: files }] };
  const said: string[] = [];
  gate = await openGate(parseGateConfig(config), undefined, (line) => said.push(line));
  expect(gate.ports).toEqual({ api: own });

  expect(await askTls(users!, [first.text])).toEqual({ status: 200, body: "api GET /items ", name: "first" });
  expect(upstream.seen.at(-1)?.headers["x-forwarded-proto"]).toBe("https");
  expect((await ask(`http://127.0.0.1:${own}/items`)).status).toBe(200);
  await expect(ask(`http://127.0.0.1:${users}/items`)).rejects.toThrow();

  // Half of a new pair changes nothing, and is said once.
  use("certificate", second);
  await vi.waitUntil(() => said.length > 0, { timeout: 30_000 });
  expect(said[0]).toMatch(/api: keeps its certificate: .*cannot be used/);
  expect((await askTls(users!, [first.text])).name).toBe("first");
  use("key", second);
  await vi.waitUntil(() => said.length > 1, { timeout: 30_000 });
  expect(said.slice(1)).toEqual([`api: has the new certificate of ${files.certificate}`]);
  expect((await askTls(users!, [second.text])).name).toBe("second");

  writeGateState(stateFile, stateWith(newPass().passHash, { mode: "closed" }));
  expect((await askTls(users!, [second.text])).status).toBe(503);
  expect((await ask(`http://127.0.0.1:${own}/items`)).status).toBe(503);
});

test("files that are not there, or do not belong together, are refused by their names", (context) => {
  const folder = newFolder();
  const [one, two] = [selfSigned(folder, "one"), selfSigned(folder, "two")];
  if (one === null || two === null) return context.skip(NO_OPENSSL);
  expect(() => readTls({ certificate: join(folder, "none.crt"), key: one.key })).toThrow(/none\.crt and key .*cannot be used: ENOENT/);
  expect(() => readTls({ certificate: one.certificate, key: two.key })).toThrow(/one\.crt and key .*two\.key cannot be used/);
  writeFileSync(join(folder, "text.crt"), "no certificate");
  expect(() => readTls({ certificate: join(folder, "text.crt"), key: one.key })).toThrow(/cannot be used/);
});
