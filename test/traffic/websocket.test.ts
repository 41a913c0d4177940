/** Real WebSocket clients and a real WebSocket service, with the traffic gate between them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { askGate } from "../../traffic/drain.ts";
import { PASS_HEADER } from "../../traffic/state.ts";
import { startGate, until, type Stand } from "./stand.ts";

const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** Greets with the headers it was asked with, then sends everything back. */
async function startService(): Promise<{ port: number; server: WebSocketServer }> {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket, request) => {
    socket.on("error", () => undefined);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.send(JSON.stringify({ url: request.url, ...request.headers }));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  closing.push(() => (server.clients.forEach((client) => client.terminate()), http.close()));
  return { port: (http.address() as AddressInfo).port, server };
}

async function startBoth(): Promise<{ gate: Stand; url: string; server: WebSocketServer }> {
  const { port, server } = await startService();
  const gate = await startGate([
    { kind: "proxy", service: "feed", upstreamPort: port, readOnlyAllow: [{ method: "UPGRADE", path: "/ws" }] },
  ]);
  return { gate, url: gate.urls[0]!.replace("http", "ws"), server };
}

interface Client {
  socket: WebSocket;
  greeting: Record<string, string>;
  say(data: string | Buffer): Promise<Buffer>;
  closed: Promise<number>;
}

/** @throws with the status by which it was refused. */
async function connect(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(url, { headers });
  closing.push(() => socket.terminate());
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  const [first] = (await once(socket, "message")) as [Buffer];
  socket.on("error", () => undefined);
  const say = async (data: string | Buffer): Promise<Buffer> => {
    socket.send(data);
    return ((await once(socket, "message")) as [Buffer])[0];
  };
  return { socket, greeting: JSON.parse(first.toString()) as Record<string, string>, say, closed };
}

test("an open gate carries messages both ways, text and binary, small and large", async () => {
  const { url } = await startBoth();
  const client = await connect(`${url}/ws?station=north`);
  expect(client.greeting["url"]).toBe("/ws?station=north");
  expect((await client.say("hello")).toString()).toBe("hello");
  const large = Buffer.alloc(300_000, 7);
  expect((await client.say(large)).equals(large)).toBe(true);
});

test("a closed gate refuses with 503; the verifier's pass gets through and never reaches the service", async () => {
  const { gate, url } = await startBoth();
  gate.write({ mode: "closed", epoch: 2 });
  await expect(connect(`${url}/ws`)).rejects.toThrow("503");
  await expect(connect(`${url}/ws`, { [PASS_HEADER]: "guess" })).rejects.toThrow("503");
  const verifier = await connect(`${url}/ws`, { [PASS_HEADER]: gate.pass });
  expect(Object.keys(verifier.greeting)).not.toContain(PASS_HEADER);
  expect((await verifier.say("alert")).toString()).toBe("alert");
});

test("clients are cut off on both sides when the gate closes, the verifier is not; after it opens they come back", async () => {
  const { gate, url, server } = await startBoth();
  const clients = await Promise.all([connect(`${url}/ws`), connect(`${url}/ws`)]);
  const verifier = await connect(`${url}/ws`, { [PASS_HEADER]: gate.pass });
  expect((await askGate(gate.urls[0]!)).streams).toBe(3);
  gate.write({ mode: "closed", epoch: 2 });
  await Promise.all(clients.map(({ closed }) => closed));
  await until(() => server.clients.size === 1);
  expect((await verifier.say("still here")).toString()).toBe("still here");
  expect((await askGate(gate.urls[0]!)).streams).toBe(1);
  gate.write({ mode: "open", epoch: 2 });
  expect((await (await connect(`${url}/ws`)).say("back")).toString()).toBe("back");
});

test("read-only lets in whom the listener names, and nobody else", async () => {
  const { gate, url } = await startBoth();
  gate.write({ mode: "read-only", epoch: 2 });
  expect((await (await connect(`${url}/ws`)).say("reading")).toString()).toBe("reading");
  await expect(connect(`${url}/other`)).rejects.toThrow("503");
});

test("a service that is gone gives 502; one that ends takes its clients with it, and the gate lives on", async () => {
  const { gate, url, server } = await startBoth();
  const client = await connect(`${url}/ws`);
  server.clients.forEach((each) => each.close(1012, "restarting"));
  expect(await client.closed).toBe(1012);
  const nowhere = await startGate([{ kind: "proxy", service: "feed", upstreamPort: 9 }]);
  await expect(connect(`${nowhere.urls[0]!.replace("http", "ws")}/ws`)).rejects.toThrow("502");
  await until(async () => (await askGate(gate.urls[0]!)).streams === 0);
});
