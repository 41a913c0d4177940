import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hashFolder } from "../../processes/artefact.ts";
import { currentFolder, publish } from "../../processes/static-site.ts";
import { ask, keepAlive, newFolder, startGate, startUpstream } from "./stand.ts";

async function sample(folder: string, release: string): Promise<{ path: string; version: { release: string; sha256: string } }> {
  const path = join(folder, release);
  mkdirSync(path);
  // Same length in each release, as versions have it.
  writeFileSync(join(path, "version.json"), JSON.stringify({ version: release }));
  writeFileSync(join(path, "index.html"), `<p>${release}</p>`);
  writeFileSync(join(path, ".hidden"), "secret");
  return { path, version: { release, sha256: await hashFolder(path) } };
}

test("a switched site shows at once, on kept connections and for cached files too", async () => {
  const folder = newFolder();
  const site = join(folder, "site");
  const [v1, v2] = [await sample(folder, "v1"), await sample(folder, "v2")];
  const gate = await startGate([{ kind: "static", service: "frontend", root: currentFolder(site) }]);
  const url = gate.urls[0] ?? "";
  expect(await ask(`${url}/`)).toMatchObject({ status: 502 });
  const agent = keepAlive();
  let etag = "none";
  for (const each of [v1, v2, v1, v2]) {
    await publish(site, each.path, each.version);
    const page = await ask(`${url}/`, { agent });
    expect(page).toMatchObject({ status: 200, body: `<p>${each.version.release}</p>`, headers: { "cache-control": "no-cache" } });
    const version = await ask(`${url}/version.json`, { agent, headers: { "if-none-match": etag } });
    expect(version).toMatchObject({ status: 200, body: JSON.stringify({ version: each.version.release }) });
    etag = String(version.headers.etag);
    expect((await ask(`${url}/version.json`, { agent, headers: { "if-none-match": etag } })).status).toBe(304);
  }
});

test("nothing outside the site, nothing hidden, and nothing but reading", async () => {
  const folder = newFolder();
  const site = join(folder, "site");
  const v1 = await sample(folder, "v1");
  await publish(site, v1.path, v1.version);
  writeFileSync(join(folder, "outside.txt"), "outside");
  const gate = await startGate([{ kind: "static", service: "frontend", root: currentFolder(site) }]);
  const url = gate.urls[0] ?? "";
  for (const path of [
    "/.hidden",
    "/%2ehidden",
    "/../v1.json",
    "/..%2f..%2f..%2foutside.txt",
    "/%2e%2e/%2e%2e/%2e%2e/outside.txt",
    "/none",
    "/%E0%A4%A",
    "/%00",
  ]) {
    expect([path, (await ask(url + path)).status]).toEqual([path, 404]);
  }
  expect((await ask(`${url}/`, { method: "POST", body: "x" })).status).toBe(405);
  expect((await ask(`${url}/index.html`, { headers: { range: "bytes=0-2" } })).body).toBe("<p>");
});

test("a closed gate closes the site, too", async () => {
  const folder = newFolder();
  const v1 = await sample(folder, "v1");
  const link = join(folder, "current");
  symlinkSync(v1.path, link);
  const upstream = await startUpstream("backend");
  const gate = await startGate(
    [
      { kind: "static", service: "frontend", root: link },
      { kind: "proxy", service: "backend", upstreamPort: upstream.port },
    ],
    { mode: "closed" },
  );
  expect((await ask(`${gate.urls[0]}/`)).status).toBe(503);
  expect((await ask(`${gate.urls[0]}/`, { headers: { "x-backout-pass": gate.pass } })).status).toBe(200);
  expect((await ask(`${gate.urls[1]}/`)).status).toBe(503);
});
