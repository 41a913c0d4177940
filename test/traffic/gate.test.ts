import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type ServerResponse, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gateCommand } from "../../traffic/command.ts";
import { GateUnreachableError, askGate, waitDrained } from "../../traffic/drain.ts";
import { readGateState } from "../../traffic/state.ts";
import { startProcess, stopProcess, waitProcessHealthy } from "../../processes/process.ts";
import {
  ask,
  echo,
  gateRuns,
  keepAlive,
  newFolder,
  openSocket,
  startForgetful,
  startGate,
  startUpstream,
  until,
  type Upstream,
} from "./stand.ts";
import { takeFreePorts } from "../../drill/ports.ts";

const proxied = (upstream: Upstream, service = "backend") => ({ kind: "proxy" as const, service, upstreamPort: upstream.port });

test("without a state that can be read the gate is closed, also for a pass", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)], null);
  const url = `${gate.urls[0]}/plants`;
  const headers = { "x-backout-pass": gate.pass };
  expect((await ask(url, { headers })).status).toBe(503);
  const good = JSON.stringify({ ...readGateStateAfter(gate), mode: "open" });
  expect((await ask(url)).status).toBe(200);
  for (const bad of ["", "null", "[]", good.slice(0, -10), good.replace('"open"', '"ajar"'), `${good}}`]) {
    writeFileSync(gate.stateFile, bad);
    expect(readGateState(gate.stateFile)).toBeNull();
    expect((await ask(url, { headers })).status).toBe(503);
    writeFileSync(gate.stateFile, good);
    expect((await ask(url)).status).toBe(200);
  }
  rmSync(gate.stateFile);
  expect((await ask(url)).status).toBe(503);
  expect(JSON.parse((await ask(`${gate.urls[0]}/__backout/maintenance`)).body)).toMatchObject({ mode: "full", epoch: null });
  expect(await askGate(gate.urls[0] ?? "")).toMatchObject({ mode: "closed", epoch: null });
});

function readGateStateAfter(gate: { stateFile: string; write(): void }) {
  gate.write();
  return readGateState(gate.stateFile);
}

test("closing takes effect for the very next request, on every listener, with message and time", async () => {
  const [backend, admin] = [await startUpstream("backend"), await startUpstream("admin")];
  const gate = await startGate([proxied(backend), proxied(admin, "admin")]);
  for (let epoch = 2; epoch < 40; epoch += 2) {
    gate.write({ mode: "closed", epoch });
    for (const url of gate.urls) expect((await ask(`${url}/plants`)).status).toBe(503);
    gate.write({ mode: "open", epoch: epoch + 1 });
    for (const url of gate.urls) expect((await ask(`${url}/plants`)).status).toBe(200);
  }
  expect((await ask(`${gate.urls[0]}/a?b=1`)).body).toBe("backend GET /a?b=1 ");
  expect((await ask(`${gate.urls[1]}/a`)).body).toBe("admin GET /a ");
  gate.write({ mode: "closed", epoch: 50 });
  const json = await ask(`${gate.urls[0]}/plants`, { method: "POST", body: "x", headers: { accept: "*/*" } });
  expect(json.headers).toMatchObject({ "retry-after": "120", "cache-control": "no-store" });
  expect(JSON.parse(json.body)).toEqual({ error: "maintenance", message: "Back <soon>", retryAfterSeconds: 120 });
  const html = await ask(`${gate.urls[0]}/`, { headers: { accept: "text/html,application/xhtml+xml,application/json;q=0.1" } });
  expect(html.headers["content-type"]).toContain("text/html");
  expect(html.body).toContain("Back &lt;soon&gt;");
  expect((await ask(`${gate.urls[0]}/`, { method: "HEAD" })).body).toBe("");
  expect(backend.seen.some((each) => each.method === "POST")).toBe(false);
});

test("the verifier passes a closed gate, and what lies behind never sees the pass; a wrong pass does not", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)], { mode: "closed" });
  const url = `${gate.urls[0]}/plants`;
  const passed = await ask(url, { method: "POST", body: "payload", headers: { "X-Backout-Pass": gate.pass, "x-kept": "1" } });
  expect(passed).toMatchObject({ status: 200, body: "backend POST /plants payload" });
  expect(upstream.seen[0]?.headers).toMatchObject({ "x-kept": "1", "x-forwarded-for": "127.0.0.1" });
  expect(upstream.seen[0]?.headers).not.toHaveProperty("x-backout-pass");
  await ask(url, { headers: { "X-Backout-Pass": gate.pass, "x-forwarded-for": "203.0.113.9" } });
  expect(upstream.seen.at(-1)?.headers).toMatchObject({ "x-forwarded-for": "203.0.113.9, 127.0.0.1" });
  for (const wrong of ["", "wrong", gate.passHash, `${gate.pass}x`, `${gate.pass}, ${gate.pass}`]) {
    expect((await ask(url, { headers: { "x-backout-pass": wrong } })).status).toBe(503);
  }
  gate.write({ mode: "closed", passHash: "" });
  for (const pass of ["", gate.pass]) expect((await ask(url, { headers: { "x-backout-pass": pass } })).status).toBe(503);
  gate.write({ mode: "open" });
  expect((await ask(url, { headers: { "x-backout-pass": "wrong" } })).status).toBe(200);
  expect(upstream.seen.at(-1)?.headers).not.toHaveProperty("x-backout-pass");
});

test("read-only lets reading and listed requests through", async () => {
  const upstream = await startUpstream("backend");
  const login = { method: "POST", path: "/auth/login" };
  const gate = await startGate([{ ...proxied(upstream), readOnlyAllow: [login] }], { mode: "read-only", message: "Only reading" });
  const url = gate.urls[0] ?? "";
  for (const method of ["GET", "HEAD", "OPTIONS"]) expect((await ask(`${url}/plants`, { method })).status).toBe(200);
  expect((await ask(`${url}/auth/login?next=1`, { method: "POST", body: "{}" })).status).toBe(200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    expect(await ask(`${url}/plants`, { method })).toMatchObject({ status: 503, body: expect.stringContaining("Only reading") as string });
  }
  expect((await ask(`${url}/auth/login/../plants`, { method: "POST" })).status).toBe(503);
  expect(await openSocket(`${url}/live`)).toEqual({ refused: 503 });
  expect(upstream.seen.every((each) => each.method !== "DELETE" && each.method !== "UPGRADE")).toBe(true);
});

test("a request under way when the gate closes is finished, and can be waited for", async () => {
  const waiting: ServerResponse[] = [];
  const upstream = await startUpstream("backend", waiting);
  const gate = await startGate([proxied(upstream)]);
  const url = gate.urls[0] ?? "";
  const slow = ask(`${url}/slow`, { method: "POST", body: "write" });
  await until(() => waiting.length === 1);
  gate.write({ mode: "closed", epoch: 2 });
  expect(await askGate(url)).toMatchObject({ mode: "closed", epoch: 2, inFlight: 1, services: { backend: 1 }, pid: gate.pid });
  expect(await waitDrained(url, { epoch: 2, timeoutMs: 60 })).toMatchObject({ drained: false, inFlight: 1 });
  expect((await ask(`${url}/slow`, { method: "POST" })).status).toBe(503);
  const drained = waitDrained(url, { epoch: 2, timeoutMs: 60_000 });
  waiting[0]?.end("done");
  expect(await slow).toMatchObject({ status: 200, body: "done" });
  expect(await drained).toMatchObject({ drained: true, inFlight: 0 });
  expect((await askGate(url)).inFlight).toBe(0);
  // An epoch that the gate has not seen is not drained, whatever is under way.
  expect(await waitDrained(url, { epoch: 3, timeoutMs: 1 })).toMatchObject({ drained: false, inFlight: 0 });
});

test("WebSockets and event streams of users end when the gate closes; the verifier's stay", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)]);
  const url = gate.urls[0] ?? "";
  const user = await openSocket(`${url}/live`);
  const verifier = await openSocket(`${url}/live`, { "x-backout-pass": gate.pass });
  if (!("socket" in user && "socket" in verifier)) throw new Error("an open gate refused a WebSocket");
  expect([await echo(user.socket, "hello"), await echo(verifier.socket, "hello")]).toEqual(["hello", "hello"]);
  expect(upstream.seen.every((each) => !("x-backout-pass" in each.headers))).toBe(true);
  const events = request(`${url}/events`, { agent: false }).end();
  const [stream] = (await once(events, "response")) as [IncomingMessage];
  stream.on("error", () => undefined);
  await once(stream, "data");
  expect(await askGate(url)).toMatchObject({ inFlight: 0, streams: 3 });
  const ended = Promise.all([once(user.socket, "close"), new Promise((resolve) => stream.once("close", resolve))]);
  gate.write({ mode: "closed", epoch: 2 });
  await ended;
  expect(await echo(verifier.socket, "still")).toBe("still");
  await until(() => upstream.sockets.size === 1);
  expect(await openSocket(`${url}/live`)).toEqual({ refused: 503 });
  expect(await askGate(url)).toMatchObject({ streams: 1 });
  rmSync(gate.stateFile);
  await once(verifier.socket, "close");
});

test("a connection that is kept alive sees the closing on its next request", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)]);
  const agent = keepAlive();
  const url = `${gate.urls[0]}/plants`;
  const [one, two] = [await ask(url, { agent }), await ask(url, { agent })];
  expect(one.localPort).toBe(two.localPort);
  gate.write({ mode: "closed", epoch: 2 });
  expect(await ask(url, { agent })).toMatchObject({ status: 503, localPort: one.localPort, headers: { connection: "close" } });
});

test("an upgrade that is no WebSocket is an ordinary request", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)]);
  const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA" };
  expect((await ask(`${gate.urls[0]}/plants`, { headers })).status).toBe(200);
});

test("a service that does not answer gives 502, and its restart is noticed", async () => {
  const upstream = await startUpstream("backend");
  const gate = await startGate([proxied(upstream)]);
  const url = gate.urls[0] ?? "";
  expect((await ask(`${url}/plants`)).status).toBe(200);
  upstream.server.closeAllConnections();
  await new Promise((resolve) => upstream.server.close(resolve));
  const refused = await ask(`${url}/plants`, { method: "POST", body: "x" });
  expect(refused.status).toBe(502);
  expect(JSON.parse(refused.body)).toEqual({ error: "unavailable", message: "backend does not answer" });
  expect(await openSocket(`${url}/live`)).toEqual({ refused: 502 });
  upstream.server.listen(upstream.port, "127.0.0.1");
  await once(upstream.server, "listening");
  expect((await ask(`${url}/plants`)).status).toBe(200);
  expect(gate.errors()).toEqual([]);
});

test("a connection that the service gives up just then costs no request, and none is sent twice", async () => {
  const service = await startForgetful();
  const gate = await startGate([{ kind: "proxy", service: "backend", upstreamPort: service.port }]);
  const agent = keepAlive();
  for (const method of ["GET", "GET", "POST", "POST", "GET"])
    expect(await ask(`${gate.urls[0]}/plants`, { method, agent, ...(method === "POST" ? { body: "x" } : {}) })).toMatchObject({
      status: 200,
      body: "done",
    });
  expect(service.seen).toEqual(["GET /plants", "GET /plants", "POST /plants", "POST /plants", "GET /plants"]);
});

test("an answer that breaks off is not passed on as whole, and the gate lives on", async () => {
  const waiting: ServerResponse[] = [];
  const upstream = await startUpstream("backend", waiting);
  const gate = await startGate([proxied(upstream)]);
  const broken = ask(`${gate.urls[0]}/slow`);
  await until(() => waiting.length === 1);
  waiting[0]?.writeHead(200, { "content-length": "1000" });
  waiting[0]?.write("part");
  setTimeout(() => waiting[0]?.destroy(), 50);
  await expect(broken).rejects.toThrow();
  expect((await ask(`${gate.urls[0]}/plants`)).status).toBe(200);
  expect((await askGate(gate.urls[0] ?? "")).inFlight).toBe(0);
  expect(gateRuns(gate)).toBe(true);
});

test("the banner tells the gate's mode, or the declared maintenance while it is open", async () => {
  const upstream = await startUpstream("backend");
  const [controlPort = 0] = await takeFreePorts(1);
  const gate = await startGate([proxied(upstream)], { maintenance: { mode: "read-only", message: "Sync is paused" } }, { controlPort });
  const control = `http://127.0.0.1:${controlPort}`;
  const banner = async (base: string) => JSON.parse((await ask(`${base}/__backout/maintenance`)).body) as unknown;
  expect(await banner(gate.urls[0] ?? "")).toEqual({ mode: "read-only", message: "Sync is paused", epoch: 1 });
  gate.write({ mode: "closed", epoch: 2 });
  expect(await banner(control)).toEqual({ mode: "full", message: "Back <soon>", epoch: 2 });
  expect(await askGate(control)).toMatchObject({ mode: "closed", pid: gate.pid });
  gate.write({ mode: "open" });
  expect((await ask(`${control}/plants`)).status).toBe(404);
  expect((await ask(`${gate.urls[0]}/__backout/other`)).status).toBe(404);
  expect(upstream.seen).toEqual([]);
});

test("SIGTERM lets what is under way finish, takes nothing new, and ends with 0", async () => {
  const waiting: ServerResponse[] = [];
  const upstream = await startUpstream("backend", waiting);
  const gate = await startGate([proxied(upstream)]);
  const url = gate.urls[0] ?? "";
  const agent = keepAlive();
  await ask(`${url}/plants`, { agent });
  const slow = ask(`${url}/slow`);
  await until(() => waiting.length === 1);
  const stopped = stopProcess(gate.folder, "gate", 60_000);
  await until(() =>
    askGate(url).then(
      () => false,
      (error: unknown) => error instanceof GateUnreachableError,
    ),
  );
  waiting[0]?.end("done");
  expect(await slow).toMatchObject({ status: 200, body: "done" });
  expect(await stopped).toMatchObject({ how: "terminated" });
});

test("a port in use ends the gate with one line that names it, and opens none of the others", async () => {
  const folder = newFolder();
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const taken = (holder.address() as AddressInfo).port;
  const [free = 0] = await takeFreePorts(1);
  const listener = (service: string, port: number) => ({ kind: "proxy" as const, service, port, upstreamPort: 9 });
  const config = { stateFile: join(folder, "state.json"), listeners: [listener("backend", free), listener("frontend", taken)] };
  const command = gateCommand(join(folder, "config.json"), config);
  await startProcess(folder, { name: "gate", folder, command, environment: {}, release: "v1", configHash: "a", port: null });
  // The first listener may answer for a moment before the second one fails.
  const check = () => Promise.resolve({ healthy: false, answer: "not asked" });
  const failed = waitProcessHealthy(folder, "gate", { check, timeoutMs: 30_000 });
  await expect(failed).rejects.toMatchObject({ alive: false, exit: { code: 1 } });
  await expect(failed).rejects.toMatchObject({
    errors: [
      `traffic gate: port ${taken} on 127.0.0.1 for "frontend" is already in use; end the process that listens there or declare another port`,
    ],
  });
  holder.close();
});

test("a configuration that makes no sense is refused in words", async () => {
  const folder = newFolder();
  const file = join(folder, "config.json");
  const [program = "", main = ""] = gateCommand(file, {
    stateFile: "x",
    listeners: [{ kind: "static", service: "a", port: 0, root: "x" }],
  });
  writeFileSync(file, JSON.stringify({ stateFile: "x", listeners: [{ kind: "proxy", service: "a", port: 70000 }] }));
  await startProcess(folder, {
    name: "gate",
    folder,
    command: [program, main, file],
    environment: {},
    release: "v1",
    configHash: "a",
    port: null,
  });
  const check = () => Promise.resolve({ healthy: false, answer: "not asked" });
  await expect(waitProcessHealthy(folder, "gate", { check, timeoutMs: 30_000 })).rejects.toThrow(
    /configuration .*config.json is not valid[\s\S]*upstreamPort/,
  );
});
