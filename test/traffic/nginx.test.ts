import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { switchTraffic, trafficLetsIn, TrafficSwitchError, type TrafficSwitch } from "../../traffic/switch.ts";
import { NO_NGINX, startNginx, watchAnswers } from "./nginx.ts";
import { newFolder, startUpstream } from "./stand.ts";

test("a real nginx is closed and opened by commands, again and again, and what it answers is checked", async (context) => {
  const folder = join(newFolder(), "nginx");
  mkdirSync(folder);
  const upstream = await startUpstream("api");
  const [port] = await takeFreePorts(1);
  const nginx = await startNginx(folder, { port: port!, upstreamPort: upstream.port });
  if (nginx === null) return context.skip(NO_NGINX);
  try {
    const at: TrafficSwitch = {
      traffic: { open: [...nginx.site, "open"], close: [...nginx.site, "close"], check: `${nginx.url}/health` },
      folder,
      facts: { system: "shop", stack: "prod", epoch: 1, message: "Closed", retryAfterSeconds: 30 },
    };
    // Once a switch is done, no answer of before follows.
    const answersNow = async (): Promise<string[]> => {
      const watched = watchAnswers(`${nginx.url}/items`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return watched();
    };
    expect(await trafficLetsIn(at)).toBe(true);
    expect(await answersNow()).toEqual(["200 api GET /items"]);
    for (let round = 0; round < 2; round++) await switchTraffic(at, "close");
    expect(await trafficLetsIn(at)).toBe(false);
    expect(await answersNow()).toEqual(["503"]);
    const kept = await fetch(nginx.url);
    expect([kept.status, kept.headers.get("retry-after")]).toEqual([503, "30"]);
    for (let round = 0; round < 2; round++) await switchTraffic(at, "open");
    expect(await trafficLetsIn(at)).toBe(true);
    expect(await answersNow()).toEqual(["200 api GET /items"]);
  } finally {
    await nginx.end();
  }
  const ended: TrafficSwitch = {
    traffic: { open: ["true"], close: ["true"], check: `${nginx.url}/health`, timeoutSeconds: 1 },
    folder,
    facts: { system: "shop", stack: "prod", epoch: 1, message: "", retryAfterSeconds: 1 },
  };
  await expect(switchTraffic(ended, "open")).rejects.toThrow(TrafficSwitchError);
});
