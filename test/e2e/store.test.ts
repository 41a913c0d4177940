/**
 * The artefact store: what one machine dumped, exported and was killed at, another restores, compares and finishes, with nothing of the first
 * machine's home: by the `dump` driver, another user and an S3 server.
 */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PinEdit } from "../../config/edit.ts";
import { missingDebianServer, startDebianServer } from "../databases/postgres/drivers/debian-server.ts";
import { S3_KEY, startS3, type S3Stand } from "../support/s3.ts";
import { makeTeam, type TeamStand } from "./team-stand.ts";

const missing = missingDebianServer();
let s3: S3Stand;
let team: TeamStand;
beforeAll(async () => {
  if (missing !== null) return;
  s3 = await startS3();
  const server = await startDebianServer();
  team = await makeTeam({
    server: { endpoint: server.endpoint, remove: () => server.stop() },
    driver: "dump",
    config: { "backout:store": s3.url("team") },
    secrets: { "backout:storeKey.accessKeyId": S3_KEY.accessKeyId, "backout:storeKey.secretAccessKey": S3_KEY.secretAccessKey },
  });
});
afterAll(async () => {
  await team?.remove();
  await s3?.stop();
});

const FORWARD: PinEdit[] = [{ path: ["release"], value: "v2" }];
const back = (data: unknown): PinEdit[] => [
  { path: ["release"], value: "v1" },
  { path: ["data"], value: data },
];
const stored = (): string[] => readdirSync(s3.folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("_object"));
const objectOf = (name: RegExp): string =>
  join(
    s3.folder,
    stored().find((file) => name.test(file))!,
  );

test(
  "a store that fails at the end keeps nobody out, and the next update copies what is missing",
  { timeout: 600_000 },
  async (context) => {
    if (missing !== null) return context.skip(missing);
    await team.upWell();
    await team.order("before");
    const isDump = (asked: string): boolean => asked.startsWith("PUT") && asked.includes("/dumps/");
    s3.fail(isDump, "cut", 99);
    const { output } = await team.upWell(FORWARD);
    expect(output).toMatch(/not in the store yet: before-v2@1 of shop\. .* does not answer/);
    expect(await team.says()).toBe("v2");
    await team.order("since");
    s3.heal();
    const { counts } = await team.upWell();
    expect(counts).toMatchObject({ updated: 1 });
    expect(stored().join("\n")).toMatch(/dumps\/shop_before_v2_1\/\w+\/artefact\.json/);
    const state = readFileSync(join(team.shared, "state", ".pulumi", "stacks", "shop", "dev.json"), "utf8");
    expect(state).toContain("TrafficGate");
    expect(state, "the key is nowhere in plain text").not.toContain(S3_KEY.secretAccessKey);
    expect(readFileSync(team.one.file, "utf8")).not.toContain(S3_KEY.secretAccessKey);
    await team.gone(team.one);
  },
);

test("a damaged object is refused on the second machine before anything stops", { timeout: 600_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  const object = objectOf(/dumps.*files\/\d+\.dat\.gz/);
  const whole = readFileSync(object);
  writeFileSync(object, Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])]));
  team.pin(back("before-v2@1"));
  const before = await team.last();
  const { code, output } = await team.there("pulumi", "up", "--yes", "--skip-preview");
  expect(code, output).not.toBe(0);
  expect(output).toMatch(
    /backout:store "s3:\/\/artefacts\/team\?endpoint=.*dumps\/shop_before_v2_1\/\w+ is damaged: \d+\.dat\.gz was changed/,
  );
  expect(await team.last()).toEqual(before);
  expect(existsSync(join(team.two.home, "dumps", "shop_before_v2_1"))).toBe(false);
  writeFileSync(object, whole);
  await team.gone(team.two);
});

test("a rollback that was killed in finalize is finished on the second machine", { timeout: 600_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  // The engine that was killed alone would let it come to its end.
  await team.interrupt("finalize.before", "provider", back("before-v2@1"), "killed-in-finalize");
  expect((await team.last())!).toMatchObject({ state: "open", recordedAt: null });
  await team.gone(team.one);
  const { code, output } = await team.there("pulumi", "up", "--yes", "--skip-preview");
  expect(code, output).toBe(0);
  expect(output).toMatch(/before-v2@1 of shop was fetched from s3:\/\/artefacts\/team/);
  const rollout = (await team.last())!;
  expect(rollout).toMatchObject({ state: "open", failure: null });
  expect(rollout.recordedAt).not.toBeNull();
  expect([await team.says(), await team.orders()]).toEqual(["v1", ["before"]]);
  const exported = await team.exports(rollout.epoch);
  expect(exported.filter(({ path }) => path.endsWith("orders.jsonl")).map(({ rows }) => rows)).toEqual([1]);
});

test("the snapshot of the first machine is restored by the second, which has lost its copy", { timeout: 600_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  await team.order("later");
  team.pin(back({ snapshot: "before-v2@1", again: 1 }));
  // What is here needs no store; what is there alone does.
  s3.fail(() => true, "cut", 999);
  const here = await team.there("pulumi", "preview");
  expect([here.code, here.output]).toEqual([0, expect.stringMatching(/does not answer.*It goes back with what is on this machine/s)]);
  rmSync(join(team.two.home, "dumps"), { recursive: true });
  const gone = await team.there("pulumi", "preview");
  expect([gone.code === 0, gone.output]).toEqual([false, expect.stringMatching(/before-v2@1|does not answer/)]);
  s3.heal();
  const { code, output } = await team.there("pulumi", "up", "--yes", "--skip-preview");
  expect(code, output).toBe(0);
  expect([await team.says(), await team.orders()]).toEqual(["v1", ["before"]]);
});

test("either machine compares what the other one exported and dumped", { timeout: 600_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  rmSync(join(team.one.home, "dumps"), { recursive: true });
  const verify = () => team.verb<{ checked: Record<string, number>; problems: { problem: string }[] }>("history", "--verify");
  const { code, json, stderr } = await verify();
  expect([code, json.problems], stderr).toEqual([0, []]);
  expect(json.checked).toMatchObject({ snapshots: 1 });
  expect(json.checked["exports"]).toBeGreaterThanOrEqual(4);
  const { runId } = (await team.last())!;
  writeFileSync(objectOf(new RegExp(`exports/${runId}/.*orders\\.jsonl`)), "{}");
  const again = await verify();
  expect(again.code).not.toBe(0);
  expect(again.json.problems).toEqual([
    expect.objectContaining({ what: "export", problem: expect.stringMatching(/orders\.jsonl has 2 bytes/) as string }),
  ]);
});
