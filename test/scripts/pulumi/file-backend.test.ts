import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileBackend, folderOf, cleanFileBackend } from "../../../scripts/pulumi/file-backend.ts";

/** No process has this id: it is above what a kernel gives out. */
const DEAD = 2 ** 30;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-state-"));
  mkdirSync(join(folder, ".pulumi", "locks", "organization", "project", "site"), { recursive: true });
  mkdirSync(join(folder, ".pulumi", "stacks", "project"), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lock = (name: string, content: unknown): string => {
  const file = join(folder, ".pulumi", "locks", "organization", "project", "site", `${name}.json`);
  writeFileSync(file, JSON.stringify(content));
  return file;
};
const sidecar = (name: string, content: string): string => {
  const file = join(folder, ".pulumi", "stacks", "project", name);
  writeFileSync(file, content);
  return file;
};

test("removes the lock of a dead process of this machine, and no other", () => {
  const dead = lock("dead", { pid: DEAD, hostname: hostname() });
  const kept = [
    lock("alive", { pid: process.pid, hostname: hostname() }),
    lock("elsewhere", { pid: DEAD, hostname: `${hostname()}-other` }),
    lock("strange", "no lock at all"),
  ];
  expect(cleanFileBackend(fileBackend(folder), "site", "/")).toEqual([dead]);
  expect(kept.filter(existsSync)).toEqual(kept);
});

test("removes a sidecar torn by a kill, never one that can be read, and nothing of another stack", () => {
  const torn = [sidecar("site.json.attrs", ""), sidecar("site.json.bak.attrs", '{"user.cache')];
  const kept = [sidecar("site.json", ""), sidecar("site2.json.attrs", "")];
  expect(cleanFileBackend(fileBackend(folder), "site", "/").toSorted()).toEqual(torn.toSorted());
  expect(kept.filter(existsSync)).toEqual(kept);
  const whole = sidecar("site.json.attrs", '{"md5":""}');
  expect(cleanFileBackend(fileBackend(folder), "site", "/")).toEqual([]);
  expect(existsSync(whole)).toBe(true);
});

test("finds the folder as the engine does, and leaves other backends alone", () => {
  expect(folderOf("file://.backout/state?metadata=skip", "/project")).toBe("/project/.backout/state");
  expect(folderOf("file:///srv/state", "/project")).toBe("/srv/state");
  expect(folderOf("file://~/state", "/project")).toBe(join(homedir(), "state"));
  expect(folderOf("s3://bucket", "/project")).toBeUndefined();
  expect(cleanFileBackend("s3://bucket", "site", "/project")).toEqual([]);
  expect(cleanFileBackend(undefined, "site", "/project")).toEqual([]);
  expect(cleanFileBackend(fileBackend(join(folder, "absent")), "site", "/project")).toEqual([]);
});
