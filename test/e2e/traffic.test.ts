/** Users come through a real nginx, which backout tells to keep them out and to let them in; and without any traffic of backout's. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { NO_NGINX, startNginx, watchAnswers, type Nginx } from "../traffic/nginx.ts";
import { makeShop, type ShopStand } from "./shop-stand.ts";

let shop: ShopStand;
let nginx: Nginx | null = null;
beforeEach(async () => void (shop = await makeShop()));
afterEach(async () => {
  await nginx?.end();
  nginx = null;
  await shop.remove();
});

const releasesIn = (answers: string[]): string[] =>
  answers.map((answer) => (answer.startsWith("200") ? (JSON.parse(answer.slice(4)) as { release: string }).release : answer));

test("a real nginx keeps users out from before anything stops until it is verified", { timeout: 900_000 }, async (context) => {
  const [port] = await takeFreePorts(1);
  const folder = join(shop.stack.folder, "nginx");
  // It goes to the service itself: the gate is only for checks.
  nginx = await startNginx(folder, { port: port!, upstreamPort: shop.site.ports["app-upstream"]! });
  if (nginx === null) return context.skip(NO_NGINX);
  const site = JSON.stringify(nginx.site).slice(1, -1);
  const traffic = (change = "") =>
    shop.define(
      `traffic: { open: [${site}, "open"], close: [${site}, "close"], check: "${nginx!.url}/health", timeoutSeconds: 10, ${change} }`,
    );
  traffic();
  expect(await shop.verb("deploy", "v1.0.0", "--yes")).toMatchObject({ code: 0, json: { ok: true } });

  const watched = watchAnswers(nginx.url);
  const deployed = await shop.verb("deploy", "v2.0.0", "--yes");
  expect(deployed).toMatchObject({ code: 0, json: { ok: true } });
  // While nginx reloads, its workers of before and the new ones answer side by side.
  const answered = releasesIn(await watched());
  expect([...new Set(answered)]).toEqual(["v1.0.0", "503", "v2.0.0"]);
  expect(answered.lastIndexOf("v1.0.0")).toBeLessThan(answered.indexOf("v2.0.0"));
  expect(answered.at(-1)).toBe("v2.0.0");
  expect(await shop.verb("preview", "--scope", "code")).toMatchObject({
    json: { preview: { usersKeptOut: true, keptOutBy: `${nginx.site[0]} close` } },
  });

  // What cannot be closed is refused before anything stops: users see nothing of it.
  traffic('close: ["sh", "-c", "echo no such site >&2; exit 3"]');
  const unseen = watchAnswers(nginx.url);
  const refused = await shop.verb("rollback", "--scope", "code", "--yes");
  expect(refused.failure).toMatch(
    /users were not kept out: .* ended with exit code 3: no such site\. Nothing was stopped and nothing was changed/,
  );
  expect(releasesIn(await unseen())).toEqual(["v2.0.0"]);

  // What cannot be opened keeps users out, and the same command lets them in.
  const broken = join(shop.stack.folder, "broken");
  writeFileSync(broken, "");
  traffic(`open: ["sh", "-c", 'test ! -e ${broken} && exec ${nginx.site.join(" ")} open']`);
  const shut = await shop.verb("rollback", "--scope", "code", "--yes");
  expect(shut.code).toBe(1);
  expect(shut.failure).toMatch(/users were not let in: .*Everything runs and is verified\. Run `sh -c .*` yourself/);
  expect((await fetch(nginx.url)).status).toBe(503);
  rmSync(broken);
  expect(await shop.verb("rollback", "--scope", "code", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect(releasesIn([`200 ${await (await fetch(nginx.url)).text()}`])).toEqual(["v1.0.0"]);
  expect(existsSync(broken)).toBe(false);
});

test("without traffic of backout's the preview says what users see, and only the data is fenced", { timeout: 900_000 }, async () => {
  shop.define('traffic: "none"');
  expect(await shop.verb("deploy", "v1.0.0", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect(await shop.verb("deploy", "v2.0.0", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect(await shop.verb("preview", "--scope", "full")).toMatchObject({
    json: { preview: { usersKeptOut: true, keptOutBy: null, withoutAnswer: ["app"] } },
  });
  const watched = watchAnswers(`http://127.0.0.1:${shop.site.ports["app-upstream"]}`);
  expect(await shop.verb("rollback", "--scope", "full", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  const seen = releasesIn(await watched());
  expect([seen[0], seen.at(-1)]).toEqual(["v2.0.0", "v1.0.0"]);
  expect(seen.filter((answer) => !/^(no answer|v[12])/.test(answer))).toEqual([]);
  expect(await shop.verb("status")).toMatchObject({ json: { gate: { mode: "open", bypassed: true } } });
});
