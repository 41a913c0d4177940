import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { CsvError, parseCsv } from "../../systems/kit/csv.ts";
import { createLog } from "../../systems/kit/log.ts";
import { listen } from "../../systems/kit/http.ts";
import { createSockets, type Sockets } from "../../systems/kit/sockets.ts";

describe("CSV", () => {
  test("quotes, commas and line breaks in cells, any line end, empty lines", () => {
    const rows = parseCsv('name,note\r\n"Ann, the first","says ""hi"""\r\n\r\nBob,\n"two\nlines",x\n', ["note"]);
    expect(rows).toEqual([
      { name: "Ann, the first", note: 'says "hi"' },
      { name: "Bob", note: "" },
      { name: "two\nlines", note: "x" },
    ]);
  });

  test("a heading that lacks a column, a row that is too long: the line is named, and nothing of the file is used", () => {
    expect(() => parseCsv("", ["dose"])).toThrow("line 1: the heading lacks dose");
    expect(() => parseCsv("a,b\n1,2\n3\n", ["a"])).toThrow(CsvError);
    expect(() => parseCsv('a,b\n"x\ny",2\n3,4,5\n', ["a"])).toThrow("line 4: has 3 cells, the heading has 2");
  });
});

describe("WebSockets", () => {
  const closing: (() => void)[] = [];
  afterEach(() => closing.splice(0).forEach((close) => close()));

  async function start(refuse: () => string | null = () => null): Promise<{ sockets: Sockets; url: string }> {
    const sockets = createSockets({ path: "/ws", log: createLog("test", "v1"), greeting: () => ({ type: "hello" }), refuse });
    const server = createServer();
    sockets.attach(server);
    const port = await listen(server, 0);
    closing.push(() => server.close());
    return { sockets, url: `ws://127.0.0.1:${port}` };
  }
  const connect = async (url: string): Promise<{ socket: WebSocket; greeting: string }> => {
    const socket = new WebSocket(url);
    closing.push(() => socket.terminate());
    const [message] = (await once(socket, "message")) as [Buffer];
    return { socket, greeting: message.toString() };
  };

  test("everybody who is connected is greeted, and told the same", async () => {
    const { sockets, url } = await start();
    const [one, other] = await Promise.all([connect(`${url}/ws`), connect(`${url}/ws`)]);
    expect([one.greeting, other.greeting]).toEqual(['{"type":"hello"}', '{"type":"hello"}']);
    const heard = [one, other].map(({ socket }) => once(socket, "message"));
    expect(sockets.broadcast({ type: "alert" })).toBe(2);
    for (const [message] of (await Promise.all(heard)) as [Buffer][]) expect(message.toString()).toBe('{"type":"alert"}');
  });

  test("at the end everybody is told to come back; another path and a refusal let nobody in", async () => {
    let reason: string | null = null;
    const { sockets, url } = await start(() => reason);
    const { socket } = await connect(`${url}/ws`);
    const closed = once(socket, "close");
    sockets.close();
    expect((await closed)[0]).toBe(1012);
    await expect(connect(`${url}/other`)).rejects.toThrow("404");
    reason = "full";
    await expect(connect(`${url}/ws`)).rejects.toThrow("500");
    expect(sockets.broadcast({})).toBe(0);
  });
});
