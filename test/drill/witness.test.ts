// Longer than 300 lines: all of it works on one database and one recorded witness.
import { execFile } from "node:child_process";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { judge, type Judgement } from "../../drill/witness/judge.ts";
import { readMemory, type Version } from "../../drill/witness/memory.ts";
import type { Script } from "../../drill/witness/script.ts";
import type { WitnessScript } from "../../config/system/drill.ts";
import { SCRIPT, SECRET, setStage, type Stage } from "./stage.ts";

const WITNESS = resolve(import.meta.dirname, "../../drill/witness");
const findings = (judgement: Judgement): number => judgement.lost.length + judgement.wrong.length + judgement.resurrected.length;
const total = (judgement: Judgement): number =>
  judgement.acknowledged.inserts + judgement.acknowledged.updates + judgement.acknowledged.deletes;
const accounted = ({ accountedFor: { live, quarantine, export: exported, nowhere } }: Judgement): number =>
  live + quarantine + exported + nowhere;

test("the witness shares no code with the toolkit: only Node's modules and pg", async () => {
  const files = (await readdir(WITNESS)).filter((name) => name.endsWith(".ts"));
  expect(files).toContain("main.ts");
  for (const file of files) {
    const text = await readFile(join(WITNESS, file), "utf8");
    const imported = [...text.matchAll(/(?:from|import|import\(|require\()\s*["']([^"']+)["']/g)].map((match) => match[1] ?? "");
    for (const name of imported) {
      const inside = name.startsWith("./") && dirname(resolve(WITNESS, name)) === WITNESS;
      expect(inside || name.startsWith("node:") || name === "pg", `${file} imports ${name}`).toBe(true);
    }
  }
});

test("a system's witness script is a script of the witness", () => {
  const theirs: WitnessScript = SCRIPT;
  const ours: Script = theirs;
  expect(ours).toBe(SCRIPT);
});

describe("the witness process", () => {
  let stage: Stage;
  beforeAll(async () => void (stage = await setStage()));
  afterAll(() => stage.remove());

  test.each([
    ["no configuration", undefined, "name it"],
    ["not JSON", "{", "cannot be read as JSON"],
    ["no script", '{"baseUrl": "http://127.0.0.1:1"}', "script must be an object"],
    [
      "a bad number",
      JSON.stringify({ baseUrl: "http://127.0.0.1:1", journalFile: "x", script: SCRIPT, concurrency: 0 }),
      "concurrency must be a number of at least 1",
    ],
  ])("says what is wrong with %s and exits with 2", async (_, text, message) => {
    const file = join(stage.folder, "bad.json");
    if (text !== undefined) await writeFile(file, text);
    const failure = await promisify(execFile)(process.execPath, [join(WITNESS, "main.ts"), ...(text === undefined ? [] : [file])]).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    expect(failure.code).toBe(2);
    expect(failure.stderr).toContain(message);
  });

  test("refuses a login file that others can read", async () => {
    const loginBodyFile = join(stage.folder, "open.json");
    await writeFile(loginBodyFile, "{}");
    await chmod(loginBodyFile, 0o644);
    const witness = await stage.witness({ loginBodyFile });
    expect((await once(witness.process)).code).toBe(2);
  });

  test("goes on through a closed gate, an invalid token, a swallowed answer and its own death", async () => {
    await stage.create("first");
    await stage.close();
    let witness = await stage.witness();
    await stage.openOn("first");
    await witness.acknowledges(60);

    const logins = stage.logins;
    stage.forgetTokens();
    await witness.acknowledges(20);
    expect(stage.logins).toBeGreaterThan(logins);

    stage.lie.swallowAnswer = 2;
    await witness.acknowledges(20);
    expect(stage.lie.swallowAnswer).toBe(0);

    await witness.stop("SIGKILL");
    witness = await stage.witness();
    await witness.acknowledges(60);
    await stage.close();
    await new Promise((done) => setTimeout(done, 300));
    await stage.openOn("first");
    await witness.acknowledges(40);
    expect(await witness.stop()).toBe(0);

    const memory = await readMemory(stage.journalFile);
    const kinds = new Set(memory.answers.map((answer) => answer.kind));
    expect(kinds).toEqual(new Set(["ok", "refused503", "failed"]));
    expect(memory.absences).toHaveLength(1);
    expect(memory.rows.size).toBeGreaterThan(60);

    const judgement = await judge({ journalFile: stage.journalFile, live: stage.address("first"), quarantines: [], exports: [] });
    expect(judgement).toMatchObject({ lost: [], wrong: [], resurrected: [], accountedFor: { quarantine: 0, export: 0, nowhere: 0 } });
    expect(judgement.inDoubt).toBeGreaterThanOrEqual(2);
    expect(judgement.acknowledged.updates).toBeGreaterThan(0);
    expect(judgement.acknowledged.deletes).toBeGreaterThan(0);
    expect(accounted(judgement)).toBe(total(judgement));
    expect(judgement.unavailable.writesMs).toBeGreaterThanOrEqual(300);
    expect(judgement.unavailable.reads.failed).toBeGreaterThan(0);
    const outage = judgement.unavailable.gaps.find((gap) => gap.refused503 > 0 && gap.milliseconds >= 300);
    expect(outage?.firstAckAfter).not.toBeNull();

    expect(await readFile(stage.journalFile, "utf8")).not.toContain(SECRET);
    const summary = JSON.parse(await readFile(`${stage.journalFile}.summary.json`, "utf8")) as { acknowledged: { insert: number } };
    expect(summary.acknowledged.insert).toBeGreaterThan(0);
  });

  test("notices a promise that was not kept", async () => {
    const journalFile = join(stage.folder, "promises.jsonl");
    const witness = await stage.witness({ journalFile });
    stage.lie.promiseOnly = 1;
    while (stage.lie.promiseOnly > 0) await new Promise((done) => setTimeout(done, 10));
    // An answer that was given is not yet one that was noted.
    await witness.acknowledges(20);
    await stage.close();
    expect(await witness.stop()).toBe(0);
    const judgement = await judge({ journalFile, live: stage.address("first"), quarantines: [], exports: [] });
    expect(findings(judgement)).toBe(1);
  });
});

function once(child: {
  exitCode: number | null;
  once(event: "exit", listener: (code: number | null) => void): unknown;
}): Promise<{ code: number | null }> {
  if (child.exitCode !== null) return Promise.resolve({ code: child.exitCode });
  return new Promise((done) => child.once("exit", (code) => done({ code })));
}

/** One run, deploy, restore: the databases afterwards are copied for each test, so that each can plant its own bug. */
describe("after a restore", () => {
  let stage: Stage;
  let rows: Map<string, Version[]>;
  let restoredAt: number;
  /** Until here nobody was served by the restored database; a busy witness takes note of an answer a little after it was given. */
  let reopenedAt: number;
  beforeAll(async () => {
    stage = await setStage();
    await stage.create("live0");
    await stage.openOn("live0");
    const witness = await stage.witness({ concurrency: 3 });
    await witness.acknowledges(120);
    await stage.close();
    await stage.sql("postgres", "CREATE DATABASE snapshot TEMPLATE live0");
    await stage.openOn("live0");
    await witness.acknowledges(120);
    await stage.close();
    restoredAt = Date.now();
    await stage.sql("postgres", "ALTER DATABASE live0 RENAME TO quarantine0");
    await stage.sql("postgres", "CREATE DATABASE live0 TEMPLATE snapshot");
    reopenedAt = Date.now();
    await stage.openOn("live0");
    await witness.acknowledges(120);
    await stage.close();
    await witness.stop();
    ({ rows } = await readMemory(stage.journalFile));
  });
  afterAll(() => stage.remove());

  let copies = 0;
  let live: string;
  let quarantine: string;
  beforeEach(async () => {
    copies += 1;
    live = `live_${copies}`;
    quarantine = `quarantine_${copies}`;
    await stage.sql("postgres", `CREATE DATABASE ${live} TEMPLATE live0`);
    await stage.sql("postgres", `CREATE DATABASE ${quarantine} TEMPLATE quarantine0`);
  });

  const ask = (exports: string[] = []): Promise<Judgement> =>
    judge({
      journalFile: stage.journalFile,
      live: stage.address(live),
      quarantines: [stage.address(quarantine)],
      exports,
      period: { from: restoredAt - 1000, to: restoredAt + 60_000 },
    });

  const bodies = async (database: string): Promise<Map<string, string>> =>
    new Map(
      ((await stage.sql(database, "SELECT id, body FROM notes")).rows as { id: string; body: string }[]).map((row) => [row.id, row.body]),
    );

  /**
   * Rows of the quarantine that the restored database does not have, and the other way round, in the order in which they were written: whether
   * the last ones of a database are missing in it, or it left service before them, is open where an export has them.
   */
  const onlyIn = async (one: string, other: string): Promise<{ id: string; body: string }[]> => {
    const [there, known] = [await bodies(one), await bodies(other)];
    return [...rows.keys()].flatMap((id) => (there.has(id) && !known.has(id) ? [{ id, body: there.get(id)! }] : []));
  };

  /** Nothing in doubt, and not deleted since. */
  const isKept = (id: string): boolean => rows.get(id)?.every((version) => version.ackAt !== null && version.value !== null) ?? false;

  async function exportFile(omit = 0): Promise<string> {
    const [before, after] = [await bodies("snapshot"), await bodies("quarantine0")];
    const lines: object[] = [];
    for (const [id, body] of after) {
      const earlier = before.get(id);
      if (earlier === undefined) lines.push({ op: "insert", key: { id }, row: { id, body }, before: null });
      else if (earlier !== body) lines.push({ op: "update", key: { id }, row: { id, body }, before: { id, body: earlier } });
    }
    for (const [id, body] of before) if (!after.has(id)) lines.push({ op: "delete", key: { id }, row: null, before: { id, body } });
    const file = join(stage.folder, `export-${copies}.jsonl`);
    await writeFile(
      file,
      lines
        .slice(omit)
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
    return file;
  }

  test("all is accounted for: the past in the quarantine, the present in live, the difference in the export", async () => {
    const judgement = await ask([await exportFile()]);
    expect(judgement).toMatchObject({
      lost: [],
      wrong: [],
      resurrected: [],
      problems: [],
      accountedFor: { nowhere: 0 },
      exports: { missing: [] },
    });
    expect(judgement.accountedFor.live).toBeGreaterThan(0);
    expect(judgement.accountedFor.quarantine).toBeGreaterThan(0);
    expect(judgement.exports.expected).toBeGreaterThan(0);
    expect(judgement.exports.found).toBe(judgement.exports.expected);
    expect(accounted(judgement)).toBe(total(judgement));
    expect(judgement.databases.map((database) => database.contradictions)).toEqual([0, 0]);
    expect(judgement.unavailable.firstAckAfter).not.toBeNull();
    expect(Date.parse(judgement.unavailable.lastAckBefore ?? "")).toBeLessThanOrEqual(reopenedAt);
  });

  test("a row written after the restore is missing in live: lost", async () => {
    const victim = (await onlyIn(live, quarantine)).find(
      ({ id }) => (rows.get(id)?.[0]?.wall ?? 0) > restoredAt && rows.get(id)?.every((version) => version.ackAt !== null),
    );
    expect(victim).toBeDefined();
    await stage.sql(live, "DELETE FROM notes WHERE id = $1", [victim?.id]);
    const judgement = await ask();
    expect(judgement.lost.map(({ id }) => id)).toEqual([victim?.id]);
    expect(judgement.lost[0]).toMatchObject({ value: victim?.body });
    expect([...judgement.wrong, ...judgement.resurrected]).toEqual([]);
  });

  test("a row written before the restore is missing in the quarantine: lost", async () => {
    const victim = (await onlyIn(quarantine, live)).find(({ id }) => isKept(id));
    expect(victim).toBeDefined();
    await stage.sql(quarantine, "DELETE FROM notes WHERE id = $1", [victim?.id]);
    expect((await ask()).lost).toMatchObject([{ id: victim?.id, value: victim?.body }]);
  });

  test("... unless the export has it: then it is only missing where it should be", async () => {
    const victim = (await onlyIn(quarantine, live)).find(({ id }) => isKept(id));
    expect(victim).toBeDefined();
    await stage.sql(quarantine, "DELETE FROM notes WHERE id = $1", [victim?.id]);
    const judgement = await ask([await exportFile()]);
    expect(judgement.lost).toEqual([]);
    expect(judgement.wrong).toMatchObject([{ id: victim?.id, database: quarantine, found: null, expected: victim?.body }]);
    expect(judgement.accountedFor.export).toBeGreaterThan(0);
  });

  test("an acknowledged update is undone: lost", async () => {
    const updated = [...rows].find(
      ([, versions]) => versions.length === 2 && versions[1]?.op === "update" && versions.every((version) => version.ackAt !== null),
    );
    expect(updated).toBeDefined();
    const [id, versions] = updated ?? ["", []];
    const changed = await Promise.all(
      [live, quarantine].map((database) =>
        stage.sql(database, "UPDATE notes SET body = $2 WHERE id = $1 AND body = $3", [id, versions[0]?.value, versions[1]?.value]),
      ),
    );
    expect(changed.some((result) => (result.rowCount ?? 0) > 0)).toBe(true);
    expect((await ask()).lost).toMatchObject([{ id, op: "update", value: versions[1]?.value }]);
  });

  test("one row changed in the restored data: wrong, in that database", async () => {
    const base = (await stage.sql("snapshot", "SELECT id FROM notes ORDER BY id LIMIT 200")).rows as { id: string }[];
    const there = new Set(((await stage.sql(live, "SELECT id FROM notes")).rows as { id: string }[]).map((row) => row.id));
    const victim = base.find(({ id }) => there.has(id) && (rows.get(id) ?? []).every((version) => version.ackAt !== null))?.id;
    expect(victim).toBeDefined();
    await stage.sql(live, "UPDATE notes SET body = 'tampered' WHERE id = $1", [victim]);
    const judgement = await ask();
    expect(judgement.wrong).toMatchObject([{ id: victim, database: live, found: "tampered" }]);
    expect([...judgement.lost, ...judgement.resurrected]).toEqual([]);
  });

  test("a deleted row is there again: resurrected", async () => {
    const there = new Set(((await stage.sql("snapshot", "SELECT id FROM notes")).rows as { id: string }[]).map((row) => row.id));
    const inLive = new Set(((await stage.sql(live, "SELECT id FROM notes")).rows as { id: string }[]).map((row) => row.id));
    const deleted = [...rows].find(
      ([id, versions]) =>
        (there.has(id) || (versions[0]?.wall ?? 0) > restoredAt) &&
        !inLive.has(id) &&
        versions.at(-1)?.op === "delete" &&
        versions.every((version) => version.ackAt !== null),
    );
    expect(deleted).toBeDefined();
    const [id, versions] = deleted ?? ["", []];
    await stage.sql(live, "INSERT INTO notes (id, body) VALUES ($1, $2)", [id, versions.at(-2)?.value]);
    expect((await ask()).resurrected).toMatchObject([{ id, database: live, value: versions.at(-2)?.value }]);
  });

  test("a row that nobody wrote: wrong", async () => {
    const id = `W-${[...rows.keys()][0]?.split("-")[1]}-999999`;
    await stage.sql(live, "INSERT INTO notes (id, body) VALUES ($1, 'from nowhere')", [id]);
    expect((await ask()).wrong).toMatchObject([{ id, database: live, found: "from nowhere" }]);
  });

  test("the quarantine was dropped early: what it held is lost, and it is named", async () => {
    const only = await onlyIn(quarantine, live);
    await stage.sql("postgres", `DROP DATABASE ${quarantine}`);
    const judgement = await ask();
    expect(judgement.problems.join()).toContain(quarantine);
    const lost = new Set(judgement.lost.map(({ id }) => id));
    const certain = only.filter(({ id }) => isKept(id));
    expect(certain.length).toBeGreaterThan(0);
    expect(certain.filter(({ id }) => !lost.has(id))).toEqual([]);
    expect(judgement.accountedFor.nowhere).toBeGreaterThan(0);
    expect(accounted(judgement)).toBe(total(judgement));
  });

  test("... unless the export holds it all", async () => {
    await stage.sql("postgres", `DROP DATABASE ${quarantine}`);
    expect(await ask([await exportFile()])).toMatchObject({ lost: [], resurrected: [], accountedFor: { nowhere: 0 } });
  });

  test("an empty export is seen although the quarantine has everything", async () => {
    const file = join(stage.folder, "empty.jsonl");
    await writeFile(file, "");
    const judgement = await ask([file]);
    expect(findings(judgement)).toBe(0);
    expect(judgement.exports.missing).toHaveLength(judgement.exports.expected);
    expect((await ask([await exportFile(1)])).exports.missing).toHaveLength(1);
  });

  test("a missing or damaged export file is a problem, not a crash", async () => {
    const file = join(stage.folder, "damaged.jsonl");
    await writeFile(file, '{"op": "insert", "ro');
    const judgement = await ask([file, join(stage.folder, "nowhere.jsonl")]);
    expect(judgement.problems).toHaveLength(2);
    expect(judgement.exports.found).toBe(0);
  });

  test("an undo: the quarantine is live again, and what came in between is in the new quarantine", async () => {
    const judgement = await judge({
      journalFile: stage.journalFile,
      live: stage.address(quarantine),
      quarantines: [stage.address(live)],
      exports: [],
    });
    expect(judgement).toMatchObject({ lost: [], wrong: [], resurrected: [], accountedFor: { nowhere: 0 } });
  });

  test("a live database that does not answer cannot be judged; the command says so and exits with 2", async () => {
    const questionFile = join(stage.folder, "question.json");
    const run = async (database: string): Promise<{ code: number; stdout: string; stderr: string }> => {
      await writeFile(
        questionFile,
        JSON.stringify({
          journalFile: stage.journalFile,
          live: stage.address(database),
          quarantines: [stage.address(quarantine)],
          exports: [],
        }),
      );
      return promisify(execFile)(process.execPath, [join(WITNESS, "judge-main.ts"), questionFile]).then(
        (done) => ({ code: 0, ...done }),
        (error: { code: number; stdout: string; stderr: string }) => error,
      );
    };
    const failed = await run("no_such_database");
    expect(failed.code).toBe(2);
    expect(failed.stderr).toContain("no_such_database");
    const passed = await run(live);
    expect(passed.code).toBe(0);
    expect((JSON.parse(passed.stdout) as Judgement).lost).toEqual([]);
    await stage.sql(live, "DELETE FROM notes");
    expect((await run(live)).code).toBe(1);
  });
});
