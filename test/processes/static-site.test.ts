import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ArtefactChangedError, ArtefactMissingError, UnhashableError, hashFolder, verifyArtefact } from "../../processes/artefact.ts";
import { currentFolder, publish, published } from "../../processes/static-site.ts";
import { execFileSync } from "node:child_process";
import { newFolder } from "./machine.ts";

function release(folder: string, name: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, name, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  }
  return join(folder, name);
}

const served = (site: string) => readFileSync(join(currentFolder(site), "index.html"), "utf8");

test("the hash counts paths and contents, and nothing else", async () => {
  const folder = newFolder();
  const one = release(folder, "one", { "index.html": "1", "a/b.js": "2", "a.js": "3" });
  const same = release(folder, "same", { "a.js": "3", "a/b.js": "2", "index.html": "1" });
  utimesSync(join(same, "a.js"), 1, 1);
  chmodSync(join(same, "a.js"), 0o600);
  mkdirSync(join(same, "empty"));
  const hash = await hashFolder(one);
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashFolder(same)).toBe(hash);
  // Neither moving a character between files nor between a name and a content may go unnoticed.
  expect(await hashFolder(release(folder, "moved", { "index.html": "12", "a/b.js": "", "a.js": "3" }))).not.toBe(hash);
  expect(await hashFolder(release(folder, "renamed", { "index.html": "1", "a/c.js": "2", "a.js": "3" }))).not.toBe(hash);
});

test("links are hashed as links, not followed", async () => {
  const folder = newFolder();
  const outside = release(folder, "outside", { secret: "1" });
  const linked = release(folder, "linked", { "index.html": "1" });
  symlinkSync(join(outside, "secret"), join(linked, "link"));
  const hash = await hashFolder(linked);
  writeFileSync(join(outside, "secret"), "2");
  expect(await hashFolder(linked)).toBe(hash);
  const file = release(folder, "file", { "index.html": "1", link: join(outside, "secret") });
  expect(await hashFolder(file)).not.toBe(hash);
});

test("what is neither file nor folder is refused instead of waited for", async () => {
  const folder = release(newFolder(), "piped", { "index.html": "1" });
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await expect(hashFolder(folder)).rejects.toThrow(UnhashableError);
});

test("an artefact that is missing or changed is refused, with both hashes and the next command", async () => {
  const folder = newFolder();
  const path = release(folder, "v1", { "main.ts": "1" });
  const sha256 = await hashFolder(path);
  await expect(verifyArtefact({ path, sha256 })).resolves.toBeUndefined();
  writeFileSync(join(path, "main.ts"), "2");
  const changed = verifyArtefact({ path, sha256, service: "backend", release: "v1" });
  await expect(changed).rejects.toThrow(ArtefactChangedError);
  await expect(changed).rejects.toThrow(
    new RegExp(`backend v1.*expected sha256 ${sha256}, actual ${await hashFolder(path)}.*the verb .deploy v1.`),
  );
  await expect(verifyArtefact({ path: join(folder, "none"), sha256 })).rejects.toThrow(ArtefactMissingError);
  await expect(verifyArtefact({ path: join(path, "main.ts"), sha256 })).rejects.toThrow(/the verb `deploy`/);
});

test("publishing is repeatable, goes back, and keeps every version", async () => {
  const folder = newFolder();
  const site = join(folder, "site");
  const one = release(folder, "v1", { "index.html": "one" });
  const two = release(folder, "v2", { "index.html": "two" });
  const [v1, v2] = [
    { release: "v1", sha256: await hashFolder(one) },
    { release: "v2", sha256: await hashFolder(two) },
  ];
  expect(published(site)).toBeNull();
  expect((await publish(site, one, v1)).state).toBe("published");
  expect((await publish(site, one, v1)).state).toBe("already");
  expect(served(site)).toBe("one");
  await publish(site, two, v2);
  expect([served(site), published(site)]).toEqual(["two", v2]);
  await publish(site, one, v1);
  expect([served(site), published(site)]).toEqual(["one", v1]);
  expect(readdirSync(join(site, "versions")).filter((each) => !each.endsWith(".json"))).toHaveLength(2);
  expect(readlinkSync(currentFolder(site))).toBe(join("versions", `v1-${v1.sha256.slice(0, 8)}`));
});

test("a release folder that is not what was recorded is not published, and what is served stays", async () => {
  const folder = newFolder();
  const site = join(folder, "site");
  const one = release(folder, "v1", { "index.html": "one" });
  await publish(site, one, { release: "v1", sha256: await hashFolder(one) });
  const two = release(folder, "v2", { "index.html": "two" });
  await expect(publish(site, two, { release: "v2", sha256: "0".repeat(64) })).rejects.toThrow(ArtefactChangedError);
  await expect(publish(site, two, { release: "../v2", sha256: "0".repeat(64) })).rejects.toThrow(/cannot name a published version/);
  expect(served(site)).toBe("one");
  expect(readdirSync(join(site, "versions")).filter((each) => each.startsWith("v2"))).toEqual([]);
});

test("a published version that was tampered with is put right, and leftovers of the dead go", async () => {
  const folder = newFolder();
  const site = join(folder, "site");
  const one = release(folder, "v1", { "index.html": "one" });
  const v1 = { release: "v1", sha256: await hashFolder(one) };
  await publish(site, one, v1);
  writeFileSync(join(currentFolder(site), "index.html"), "defaced");
  const leftover = join(site, "versions", ".temporary-4194303999-abcd");
  mkdirSync(leftover);
  expect((await publish(site, one, v1)).state).toBe("published");
  expect(served(site)).toBe("one");
  expect(existsSync(leftover)).toBe(false);
});
