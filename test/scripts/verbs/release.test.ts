/** `backout release`: what enters the ledger of a stack file, and what is refused. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { hashFolder } from "../../../processes/artefact.ts";
import type { ReleaseAddOutcome } from "../../../scripts/verbs/release-add.ts";
import { fakeDocker } from "../../workloads/fake-docker.ts";
import { ownProject } from "./own-project.ts";

let shop: Awaited<ReturnType<typeof ownProject>>;
beforeEach(async () => {
  shop = await ownProject();
});

const add = (...given: string[]) => shop.backout<ReleaseAddOutcome>(["release", "add", ...given]);
const ledger = () => (parse(shop.text()) as { config: Record<string, Record<string, unknown>> }).config;

test("the first release becomes the pin, by hash and commit; the rest of the file stays as it was", async () => {
  const before = shop.text();
  const tried = await add("v1", "dist/api", "--dry-run");
  expect(tried, tried.stderr).toMatchObject({ code: 0, json: { dryRun: true, pinned: true, unchanged: false } });
  expect(shop.text()).toBe(before);
  const { code, json, stderr } = await add("v1", "./dist/api", "--config", "MODE=fast", "--tag", "shop-1");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ pinned: true, next: "pulumi up --stack dev", file: "Pulumi.dev.yaml" });
  const sha256 = await hashFolder(join(shop.project, "dist", "api"));
  expect(ledger()).toMatchObject({
    "backout:release": "v1",
    "backout:releases": {
      v1: {
        services: { api: { path: "dist/api", sha256, commit: shop.git("rev-parse", "HEAD"), config: { MODE: "fast" } } },
        tag: "shop-1",
      },
    },
  });
  for (const line of before.trimEnd().split("\n")) expect(shop.text()).toContain(`${line}\n`);
});

test.each(["  backout:releases: {}\n", "  backout:releases:\n", "  backout:release: v0\n"])("so it does after %j", async (line) => {
  writeFileSync(shop.file, shop.text() + line);
  expect(await add("v1", "dist/api")).toMatchObject({ code: 0, json: { pinned: true } });
  expect(ledger()).toMatchObject({ "backout:release": "v1", "backout:releases": { v1: {} } });
});

test("the same again is unchanged, the next one is entered last and deployed by its name, other content needs another name", async () => {
  await add("v1", "dist/api");
  const entered = shop.text();
  expect(await add("v1", "dist/api")).toMatchObject({ code: 0, json: { unchanged: true, lines: { added: [], removed: [] } } });
  expect(shop.text()).toBe(entered);
  writeFileSync(join(shop.project, "dist", "api", "main.ts"), "console.log(2);\n");
  const refused = await add("v1", "dist/api");
  expect(refused.code).toBe(3);
  expect(refused.json.error?.message).toMatch(/^v1 is in the ledger with other content: services\.api\.sha256 is .*another name/);
  expect(shop.text()).toBe(entered);
  const second = await add("0.9", "dist/api");
  expect(second.json).toMatchObject({ pinned: false, next: "npx backout deploy 0.9 --stack dev" });
  const listed = await shop.backout<{ releases: unknown[] }>(["release", "list"]);
  expect(listed.json.releases).toMatchObject([
    { name: "v1", pinned: true, deployed: false, openedAt: null },
    { name: "0.9", pinned: false, deployed: false },
  ]);
  // A block concerns deployments only.
  writeFileSync(shop.file, `${shop.text()}  backout:blocked: {"0.9": INC-1}\n`);
  expect(await add("0.9", "dist/api")).toMatchObject({ code: 0, json: { unchanged: true } });
});

test("a commit is recorded only where nothing but the stack file differs from it", async () => {
  writeFileSync(join(shop.project, "main.ts"), "// not committed\n");
  const { json, stderr } = await add("v1", "dist/api");
  expect(json.entry.services["api"]).not.toHaveProperty("commit");
  expect(stderr).toMatch(/no commit is recorded for dist\/api: the git repository has changes/);
  rmSync(join(shop.project, "main.ts"));
  expect((await add("v2", "dist/api")).json.entry.services["api"]).toHaveProperty("commit");
  expect((await add("v3", "dist/api", "--commit", "abc")).json.error?.message).toMatch(/must be a full 40-digit commit/);
});

describe("refused, with the file as it was", () => {
  const outside = (): void => {
    mkdirSync(join(shop.root, "elsewhere"));
    writeFileSync(join(shop.root, "elsewhere", "main.ts"), "");
  };
  test.each<[string, string[], number, RegExp, (() => void)?]>([
    ["a folder that is missing", ["v1", "./dist/app"], 2, /\.\/dist\/app: folder not found/],
    ["a word that is neither", ["v1", "dist/app"], 2, /folder not found; an image is named with its tag or digest/],
    ["a file", ["v1", "dist/api/main.ts"], 2, /is a file: a release is a folder/],
    ["an empty folder", ["v1", "empty"], 2, /is empty/, () => mkdirSync(join(shop.project, "empty"))],
    ["a name that no file may have", ["v1/2", "dist/api"], 3, /"v1\/2" is not allowed/],
    ["a service that the system has not", ["v1", "--service", "apo=dist/api"], 2, /no such service, only api \(did you mean `api`\?\)/],
    ["no build", ["v1"], 2, /no build of api: give --service/],
    ["both ways at once", ["v1", "dist/api", "--service", "api=dist/api"], 2, /give either/],
    ["a database that the system has not", ["v1", "dist/api", "--schema", "shp=1"], 2, /did you mean `shop`/],
    [
      "a link to another folder",
      ["v1", "dist/api"],
      3,
      /dist\/api\/lib is a link to .*elsewhere, outside the release/,
      () => {
        outside();
        symlinkSync("../../../elsewhere", join(shop.project, "dist", "api", "lib"));
      },
    ],
    [
      "a folder behind a link out of the project",
      ["v1", "linked"],
      3,
      /linked is a link to .*elsewhere/,
      () => {
        outside();
        symlinkSync("../elsewhere", join(shop.project, "linked"));
      },
    ],
  ])("%s", async (_what, given, exit, message, prepare) => {
    prepare?.();
    const before = shop.text();
    const { code, json } = await add(...given);
    expect(json.error?.message).toMatch(message);
    expect(code).toBe(exit);
    expect(shop.text()).toBe(before);
  });
});

test("links inside of a release are part of it", async () => {
  renameSync(join(shop.project, "dist", "api", "main.ts"), join(shop.project, "dist", "api", "real.ts"));
  symlinkSync("real.ts", join(shop.project, "dist", "api", "main.ts"));
  expect((await add("v1", "dist/api")).code).toBe(0);
});

describe("an image", () => {
  const digest = `registry.example/api@sha256:${"1".repeat(64)}`;
  const id = `sha256:${"2".repeat(64)}`;
  const path = (): string => process.env["PATH"]!.split(delimiter)[0]!;
  const addBy = (image: string) => shop.backout<ReleaseAddOutcome>(["release", "add", "v1", image], path());

  test("by tag is entered by the digest that the daemon knows, else by what only this machine has", async () => {
    fakeDocker({ tags: { "registry.example/api:1": `${id} other/api@sha256:${"3".repeat(64)} ${digest}`, "api:dev": id } });
    expect((await addBy("registry.example/api:1")).json.entry.services).toEqual({ api: { image: digest } });
    const here = await shop.backout<ReleaseAddOutcome>(["release", "add", "v2", "api:dev"], path());
    expect(here.json.entry.services).toEqual({ api: { image: id } });
    expect(here.stderr).toMatch(/api:dev is in no registry: .* only this machine has/);
  });

  test("by digest needs no daemon; by tag it does, and without one says how to get the digest", async () => {
    fakeDocker({ down: true });
    const before = shop.text();
    const { code, json } = await addBy("registry.example/api:1");
    expect(code).toBe(2);
    expect(json.error?.message).toMatch(/docker buildx imagetools inspect registry\.example\/api:1.*registry\.example\/api@sha256:…/);
    expect(shop.text()).toBe(before);
    expect((await addBy(digest)).json.entry.services).toEqual({ api: { image: digest } });
  });

  test("that the daemon does not have is refused with the pull", async () => {
    fakeDocker();
    expect((await addBy("registry.example/api:1")).json.error?.message).toMatch(/run `docker pull registry\.example\/api:1` first/);
  });
});

test("a release is removed unless it is pinned; its blocks and files are nobody's business", async () => {
  await add("v1", "dist/api");
  await add("v2", "dist/api");
  const remove = (name: string) => shop.backout<{ release: string }>(["release", "remove", name]);
  expect((await remove("v1")).json.error?.message).toMatch(/v1 stays in the ledger: it is pinned by backout:release/);
  expect((await remove("v3")).json.error?.message).toMatch(/not in the ledger, which has v1, v2/);
  expect(await remove("v2")).toMatchObject({ code: 0, json: { release: "v2" } });
  expect(Object.keys(ledger()["backout:releases"]!)).toEqual(["v1"]);
});
