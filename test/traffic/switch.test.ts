import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SwitchedTraffic } from "../../config/system/traffic.ts";
import { commandLine, switchTraffic, trafficLetsIn, TrafficSwitchError, type TrafficSwitch } from "../../traffic/switch.ts";

const folder = mkdtempSync(join(tmpdir(), "backout-switch-"));
const facts = { system: "shop", stack: "prod", epoch: 3, message: "Back <soon>", retryAfterSeconds: 60 };
const at = (traffic: SwitchedTraffic): TrafficSwitch => ({ traffic, folder, facts });
const script = (name: string, text: string): string[] => {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
  return [`./${name}`, "--site", "shop"];
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("commands", () => {
  const open = script("open", "rm -f closed");
  const close = script(
    "close",
    'echo "$BACKOUT_TRAFFIC $1 $2 $BACKOUT_STACK $BACKOUT_EPOCH $BACKOUT_MESSAGE $BACKOUT_RETRY_AFTER" > closed',
  );
  const check = script("check", "test ! -e closed");

  test("are run in the definition's folder with the facts as variables, as often as it is asked", async () => {
    for (let round = 0; round < 2; round++) await switchTraffic(at({ open, close, check }), "close");
    expect(readFileSync(join(folder, "closed"), "utf8")).toBe("close --site shop prod 3 Back <soon> 60\n");
    expect(await trafficLetsIn(at({ open, close, check }))).toBe(false);
    for (let round = 0; round < 2; round++) await switchTraffic(at({ open, close, check }), "open");
    expect(existsSync(join(folder, "closed"))).toBe(false);
    expect(await trafficLetsIn(at({ open, close, check }))).toBe(true);
    expect(await trafficLetsIn(at({ open, close }))).toBeNull();
  });

  test.each<[string, Partial<SwitchedTraffic>, RegExp]>([
    [
      "fails",
      { close: script("fails", "echo no such site >&2; exit 4") },
      /^users were not kept out: \.\/fails .* ended with exit code 4: no such site$/,
    ],
    ["is not there", { close: ["./nowhere"] }, /\.\/nowhere was not started: \.\/nowhere: not found/],
    ["hangs", { close: script("hangs", "sleep 1000"), timeoutSeconds: 0.5 }, /did not end within 0\.5 s/],
    [
      "does nothing",
      { close: ["true"], check, timeoutSeconds: 1 },
      /^users were not kept out: true succeeded, but \.\/check --site shop says that users are let in$/,
    ],
    [
      "cannot be checked",
      { check: script("odd", "exit 7"), timeoutSeconds: 1 },
      /\.\/odd --site shop ended with exit code 7: a check ends with 0/,
    ],
  ])("one that %s is an error with the command to type", async (_how, change, message) => {
    const failed = await switchTraffic(at({ open, close, ...change }), "close").catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(TrafficSwitchError);
    expect((failed as TrafficSwitchError).message).toMatch(message);
    expect((failed as TrafficSwitchError).command).toBe(commandLine(change.close ?? close));
    rmSync(join(folder, "closed"), { force: true });
  });
});

describe("urls", () => {
  let server: Server;
  let url: string;
  let seen: { method: string; url: string; body: string }[] = [];
  let answers: Record<string, number> = {};
  beforeAll(async () => {
    server = createServer((request: IncomingMessage, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push({ method: request.method!, url: request.url!, body });
        response.writeHead(answers[request.url!] ?? 200).end("told");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    seen = [];
    answers = {};
  });
  afterAll(() => server.close());
  const traffic = (): SwitchedTraffic => ({ open: `${url}/open`, close: `${url}/close`, check: `${url}/up`, timeoutSeconds: 1 });

  test("are asked by POST with the facts, and checked by GET", async () => {
    answers["/up"] = 503;
    await switchTraffic(at(traffic()), "close");
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(["POST /close", "GET /up", "GET /up", "GET /up"]);
    expect(JSON.parse(seen[0]!.body)).toEqual({ action: "close", ...facts });
    answers["/up"] = 204;
    await switchTraffic(at(traffic()), "open");
  });

  test("that fail, do not answer, or have changed nothing are errors with the command to type", async () => {
    const close = (change: Partial<SwitchedTraffic> = {}) => switchTraffic(at({ ...traffic(), ...change }), "close");
    answers["/close"] = 500;
    await expect(close()).rejects.toThrow(`users were not kept out: curl -fsS -X POST ${url}/close answered 500: told`);
    answers["/close"] = 200;
    await expect(close()).rejects.toThrow(/says that users are let in/);
    answers["/up"] = 404;
    await expect(close()).rejects.toThrow(/answered 404: a check answers 2xx .* or 503/);
    await expect(close({ close: "http://127.0.0.1:1/close" })).rejects.toThrow(/did not answer: .*(ECONNREFUSED|bad port)/);
  });
});

test("what a person types is quoted", () => {
  expect(commandLine(["nginx", "-s", "reload"])).toBe("nginx -s reload");
  expect(commandLine(["sh", "-c", "it's; rm"])).toBe(`sh -c 'it'\\''s; rm'`);
  expect(commandLine("https://lb/close?a=1&b=2")).toBe("curl -fsS -X POST 'https://lb/close?a=1&b=2'");
});
