/** Requests that are measured: what counts as an error, and that nothing but answers counts as good. */
import { createServer, type Socket, type AddressInfo } from "node:net";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { readPanels } from "../../systems/solar-panel/api.ts";
import { burstInWords, burstOf, type Burst } from "../../systems/kit/client.ts";
import { whileAnswering } from "./answering-server.ts";

const READ = { service: "app", path: "/rows", token: null };

function asking(answer: (asked: number, response: ServerResponse) => void, count = 10): Promise<Burst> {
  return whileAnswering(answer, (url) => burstOf({ url: () => url }, READ, { count, width: 2 }));
}

/** A peer that says what it is told to, and nothing HTTP knows of. */
async function whileSaying<T>(say: (socket: Socket) => void, work: (url: string) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => say(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

test("answers count as good, errors of the server do not, and the first one is told", async () => {
  const burst = await asking((asked, response) => void response.writeHead(asked % 5 === 0 ? 503 : 200).end("{}"));
  expect(burst).toMatchObject({ requests: 10, errors: 2, firstError: "answered 503" });
  expect(burstInWords(burst, 3)).toMatch(/^2 errors in 10 requests \(the first: answered 503\), median \d+\.\d ms \(before: 3\.0 ms\)$/);
  expect(burstInWords({ ...burst, errors: 0, firstError: null }, null)).toMatch(/^0 errors in 10 requests, median \d+\.\d ms$/);
});

test("a redirect says nothing of what lies behind it", async () => {
  const burst = await asking((_asked, response) => void response.writeHead(302, { location: "/elsewhere" }).end());
  expect(burst).toMatchObject({ requests: 10, errors: 10, firstError: "answered 302" });
});

test.each([
  ["closes without a word", (socket: Socket) => void socket.end(), /socket hang up/],
  [
    "offers another protocol",
    (socket: Socket) => void socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n"),
    /closed without an answer/,
  ],
  ["speaks no HTTP", (socket: Socket) => void socket.write("hello\r\n\r\n"), /Parse Error/],
])("a service that %s is an error, and nobody waits for it", async (_, say, why) => {
  const burst = await whileSaying(say, (url) => burstOf({ url: () => url }, READ, { count: 3, width: 1 }));
  expect(burst).toMatchObject({ requests: 3, errors: 3 });
  expect(burst.firstError).toMatch(why);
});

test("a strict read takes an answer of 200 that is not JSON for an error", async () => {
  const answer = (asked: number, response: ServerResponse) => void response.writeHead(200).end(asked % 5 === 0 ? "<html>" : "{}");
  const burst = await whileAnswering(answer, (url) => burstOf({ url: () => url }, { ...READ, strictly: true }, { count: 10, width: 2 }));
  expect(burst).toMatchObject({ requests: 10, errors: 2, firstError: "answered 200, but not with JSON: <html>" });
  const panels = whileAnswering(
    (_asked, response) => answer(5, response),
    (url) => readPanels({ url: () => url, fetch: (asked, init) => fetch(asked, init), secret: () => "" }, "token"),
  );
  await expect(panels).rejects.toThrow(SyntaxError);
});

test("no request at all is no good news", async () => {
  await expect(asking(() => undefined, 0)).rejects.toThrow("no request was made to /rows");
});
