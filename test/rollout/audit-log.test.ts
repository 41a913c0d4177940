/** The audit log, written to by several processes at the same moment. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { SqliteState } from "../../databases/sqlite/state/file.ts";
import { auditLogFile, auditLogHead, completeAuditLog, endedElsewhere, recordInAuditLog } from "../../rollout/audit-log.ts";
import { appendToAuditLog, brokenLinks, chainHead, chainProblems } from "../../state/audit-log.ts";
import { newFolder } from "../workloads/shop.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Writes its entries as soon as `go` is there; tells what it was warned of. */
const WRITER = `
import { existsSync } from "node:fs";
const [home, who, go] = process.argv.slice(2);
const { SqliteState } = await import("${pathToFileURL(join(ROOT, "databases", "sqlite", "state", "file.ts")).href}");
const { recordInAuditLog } = await import("${pathToFileURL(join(ROOT, "rollout", "audit-log.ts")).href}");
const state = await SqliteState.create(home + "/state.sqlite");
while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 1));
for (let epoch = 1; epoch <= 12; epoch++)
  await recordInAuditLog({ site: { home }, state, warn: console.log }, { runId: who, epoch, event: "watch" });
await state.end();
`;

test("of watches and updates that end at once every entry is in one chain, and its end is known", { timeout: 120_000 }, async () => {
  const home = newFolder();
  const [program, go] = [join(home, "writer.ts"), join(home, "go")];
  mkdirSync(home, { recursive: true });
  writeFileSync(program, WRITER);
  await (await SqliteState.create(join(home, "state.sqlite"))).end();
  const writers = Array.from({ length: 5 }, (_, index) =>
    spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, home, `run-${index}`, go], {
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  const ended = writers.map(async (writer) => {
    const said: string[] = [];
    for (const stream of [writer.stdout, writer.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    return [await new Promise((resolve) => writer.once("close", resolve)), said.join("")];
  });
  writeFileSync(go, "");
  expect(await Promise.all(ended)).toEqual(writers.map(() => [0, ""]));
  const log = auditLogFile({ home });
  expect(readFileSync(log, "utf8").trim().split("\n")).toHaveLength(60);
  expect(brokenLinks(log)).toEqual([]);
  const state = await SqliteState.create(join(home, "state.sqlite"));
  const head = await auditLogHead(state);
  await state.end();
  expect(head?.lines).toBe(60);
  expect(chainProblems(log, head)).toEqual([]);
});

test("every machine has the whole log: what others wrote is added, and what was removed here stays missing", async () => {
  const state = await SqliteState.create(join(newFolder(), "state.sqlite"));
  const homes = ["one", "two"].map((host) => {
    const home = newFolder();
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "stack.json"), JSON.stringify({ host, home, since: host }));
    return home;
  });
  const [one, two] = [homes[0]!, homes[1]!];
  const warned: string[] = [];
  const write = (home: string, epoch: number): Promise<void> =>
    recordInAuditLog({ site: { home }, state, warn: (message) => warned.push(message) }, { runId: "run", epoch, event: "watch" });
  for (const [index, home] of [one, one, two, one].entries()) await write(home, index + 1);
  await completeAuditLog({ home: two }, state);
  const [log, copy] = [auditLogFile({ home: one }), auditLogFile({ home: two })];
  expect(readFileSync(copy, "utf8")).toBe(readFileSync(log, "utf8"));
  expect([chainProblems(copy, await auditLogHead(state)), warned]).toEqual([[], []]);

  expect([await endedElsewhere({ home: one }, state), await endedElsewhere({ home: two }, state)]).toEqual([
    new Set([3]),
    new Set([1, 2, 4]),
  ]);

  writeFileSync(log, readFileSync(log, "utf8").split("\n").slice(0, 3).join("\n") + "\n");
  await completeAuditLog({ home: one }, state);
  expect(chainProblems(log, await auditLogHead(state))).toEqual([expect.stringMatching(/it has 3 lines and had 4/)]);
  await state.end();
});

test("of a log that only its machine has, another one's entry waits, and joins when the log is there", async () => {
  const state = await SqliteState.create(join(newFolder(), "state.sqlite"));
  const [owner, fresh] = [newFolder(), newFolder()];
  mkdirSync(owner, { recursive: true });
  writeFileSync(join(owner, "stack.json"), JSON.stringify({ host: "one", home: owner, since: "one" }));
  const log = auditLogFile({ home: owner });
  const warned: string[] = [];
  let epoch = 1;
  const write = (home: string): Promise<void> =>
    recordInAuditLog({ site: { home }, state, warn: (message) => warned.push(message) }, { runId: "run", epoch: ++epoch, event: "watch" });
  // As an earlier version wrote it: the state has the end alone.
  appendToAuditLog(log, { runId: "run", epoch: 1, event: "watch" });
  await state.keep("governance-head", chainHead(log));
  await write(fresh);
  expect(warned).toEqual([expect.stringMatching(/governance-waiting\.jsonl/)]);
  expect(await auditLogHead(state)).toEqual(chainHead(log));
  await write(owner);
  await write(fresh);
  await write(owner);
  expect([warned.length, chainProblems(log, await auditLogHead(state))]).toEqual([1, []]);
  expect(readFileSync(log, "utf8").match(/"epoch":\d/g)).toEqual(["1", "3", "2", "4", "5"].map((epoch) => `"epoch":${epoch}`));
  await state.end();
});

test("an entry from a time when the state did not answer joins the one log of all machines, with the time it was made", async () => {
  const state = await SqliteState.create(join(newFolder(), "state.sqlite"));
  const [one, two] = ["one", "two"].map((host) => {
    const home = newFolder();
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "stack.json"), JSON.stringify({ host, home, since: host }));
    return home;
  }) as [string, string];
  const warned: string[] = [];
  const write = (home: string, event: string, answers = true): Promise<void> =>
    recordInAuditLog(
      { site: { home }, state: answers ? state : null, shared: !answers, warn: (message) => warned.push(message) },
      { runId: "run", event },
    );
  await write(one, "first");
  await write(two, "second");
  await write(one, "unheard", false);
  await write(one, "unheard too", false);
  await write(two, "third");
  await write(one, "fourth");
  await completeAuditLog({ home: two }, state);
  const [log, copy] = [auditLogFile({ home: one }), auditLogFile({ home: two })];
  expect(readFileSync(copy, "utf8")).toBe(readFileSync(log, "utf8"));
  expect([chainProblems(log, await auditLogHead(state)), warned.length]).toEqual([[], 2]);
  const entries = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; at: string; joined?: string });
  expect(entries.map(({ event }) => event)).toEqual(["first", "second", "third", "unheard", "unheard too", "fourth"]);
  expect(entries.map(({ at, joined }) => joined !== undefined && at < joined)).toEqual([false, false, false, true, true, false]);
  // Once: they wait no longer.
  await write(one, "fifth");
  expect(readFileSync(log, "utf8").match(/unheard/g)).toHaveLength(2);
  await state.end();
});
