/** After a rollback: the watch, the freeze it lifts, and the step that is only taken when all has proved good. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ActionListed, ActionOutcome } from "../../scripts/verbs/action.ts";
import type { Reapplied } from "../../rollout/steps/reapply.ts";
import type { UndoOutcome } from "../../scripts/verbs/undo.ts";
import type { PreviewOutcome } from "../../scripts/pulumi/preview.ts";
import type { RollbackOutcome } from "../../scripts/verbs/rollback.ts";
import type { Status, WatchOutcome } from "../../scripts/pulumi/answers.ts";
import { DROP_SYNC_TABLES, SYNC_MIGRATION, SYNC_TABLES } from "../../systems/pfa-vanguard/api.ts";
import { makeStand, PROJECT, until, type Stand } from "./stand.ts";

let stand: Stand;
beforeAll(async () => {
  // A minute of the watch's clock is 60 ms on the wall.
  process.env["BACKOUT_CLOCK_SPEED"] = "1000";
  stand = await makeStand();
  await stand.upWell();
  await stand.verb("deploy", "v4.0.0", "--yes", "--no-wait");
  await stand.insertWell("A-1", "A-2");
});
afterAll(async () => {
  delete process.env["BACKOUT_CLOCK_SPEED"];
  await stand?.destroy();
});

interface Refused {
  error?: { name: string; message: string };
}
const drop = (...more: string[]) => stand.verb<ActionOutcome & Refused>("action", DROP_SYNC_TABLES, ...more);
const confirmed = () => drop("--confirm", DROP_SYNC_TABLES);
const tables = async (): Promise<string[]> =>
  (await stand.sql<{ name: string }>("SELECT relname AS name FROM pg_class WHERE relname = ANY ($1) ORDER BY 1", [SYNC_TABLES])).map(
    ({ name }) => name,
  );

test("not while the release that needs it runs", async () => {
  const { code, json } = await confirmed();
  expect(code).toBe(3);
  expect(json.error?.message).toContain(`needs ${SYNC_MIGRATION}`);
  expect(await tables()).toEqual([...SYNC_TABLES].sort());
});

test("a rollback says what to watch next", async () => {
  const { code, json, stderr } = await stand.verb<RollbackOutcome>("rollback", "--scope", "quick", "--yes", "--no-block");
  expect(code, stderr).toBe(0);
  const command = expect.stringMatching(/^(npm run backout -- |backout )watch quick --stack e2e$/) as string;
  expect(json.nextWatch).toMatchObject({ id: "quick", minutes: 15, command });
  const early = await confirmed();
  expect(early.code).toBe(3);
  expect(early.json.error?.message).toContain("watch quick is due");
  const unconfirmed = await drop();
  expect(unconfirmed.code).toBe(2);
  expect(unconfirmed.json.error?.message).toContain(`--confirm ${DROP_SYNC_TABLES}`);
});

test("frozen, nothing newer is deployed: not by the verb, not by the engine; nothing that runs is touched", async () => {
  const pids = stand.pids();
  expect((await stand.verb("freeze", "--reason", "rollback under watch", "--until", "quick")).code).toBe(0);
  const { code, json } = await stand.verb<Refused>("deploy", "v4.0.0", "--yes");
  expect(code).toBe(3);
  expect(json.error?.message).toMatch(/rollback under watch[^]*freeze --lift/);
  const text = stand.text();
  const update = await stand.up([{ path: ["release"], value: "v4.0.0" }]);
  expect(update.code).not.toBe(0);
  expect(update.output).toContain("rollback under watch");
  stand.write(text);
  expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);
  expect(stand.pids()).toEqual(pids);
  const status = await stand.verb<Status>("status");
  expect(status.json.config.freeze).toMatchObject({ reason: "rollback under watch", until: "quick" });
});

test("killed and started again, the watch goes on where it was, says the gap, changes nothing, and lifts the freeze", async () => {
  // A session reports what it did last after ten idle seconds.
  const busy =
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state_change > now() - interval '11 s'";
  await until("what was written before is counted", async () => (await stand.sql(busy)).length === 0, 60_000);
  const before = await stand.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) AS writes, count(*) FROM pg_stat_user_tables");
  const running = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(PROJECT, "scripts", "backout.ts"), "watch", "--stack", "e2e"],
    { cwd: stand.stack.folder, env: { ...process.env, ...stand.stack.environment }, stdio: "ignore" },
  );
  const folder = join(stand.site.home, "watches");
  const file = (): string => readdirSync(folder).find((name) => name.endsWith(".jsonl"))!;
  const polls = (): number => (readFileSync(join(folder, file()), "utf8").match(/"type":"poll"/g) ?? []).length;
  const ended = new Promise((resolve) => running.once("close", resolve));
  await until("three polls are kept", () => {
    try {
      return polls() >= 3;
    } catch {
      return false;
    }
  });
  running.kill("SIGKILL");
  await ended;
  const kept = polls();
  expect(kept).toBeLessThan(15);
  const { code, json, stderr } = await stand.verb<WatchOutcome>("watch");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ watch: "quick", passed: true, already: false, polls: 15, of: 15, unhealthy: [], lifted: true, next: null });
  expect(json.gaps).toHaveLength(1);
  expect(stderr).toContain(`resumes after ${kept} of 15 polls`);
  expect(await stand.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) AS writes, count(*) FROM pg_stat_user_tables")).toEqual(before);
  expect(stand.text()).not.toContain("freeze:");
  const again = await stand.verb<WatchOutcome>("watch", "quick");
  expect(again).toMatchObject({ code: 0, json: { passed: true, already: true } });
});

test("now it may be done: the rows are kept first, it is done once, and verification knows", async () => {
  const listed = await stand.verb<{ actions: ActionListed[] }>("action");
  expect(listed.json.actions).toMatchObject([{ id: DROP_SYNC_TABLES, refused: [] }]);
  const queued = (await stand.sql<{ rows: number }>("SELECT count(*)::int AS rows FROM pfa_write_queue"))[0]!.rows;
  expect(queued).toBeGreaterThan(0);
  const { code, json, stderr } = await confirmed();
  expect(code, stderr).toBe(0);
  expect(json.unchanged).toBe(false);
  const queue = json.kept.find(({ table }) => table === "pfa_write_queue");
  expect(queue?.rows).toBe(queued);
  expect(readFileSync(queue!.path, "utf8").trim().split("\n")).toHaveLength(queued);
  expect(await tables()).toEqual([]);
  expect(await confirmed()).toMatchObject({ code: 0, json: { unchanged: true } });
  const verified = await stand.verb<{ passed: boolean; checks: { name: string; detail: string }[] }>("verify");
  expect(verified.json.passed, JSON.stringify(verified.json.checks)).toBe(true);
  expect(verified.json.checks.find(({ name }) => name === "new-tables-remain")?.detail).toContain("after the rollback had succeeded");
});

test("the way forward stays open: the release brings its tables again", async () => {
  // What the older schema does not take back later on.
  await stand.sql("ALTER TABLE pfa_records ADD CONSTRAINT older CHECK (pfa_id <> 'B-CLASH')");
  const { code, stderr } = await stand.verb("deploy", "v4.0.0", "--yes", "--no-wait");
  expect(code, stderr).toBe(0);
  expect(await tables()).toEqual([...SYNC_TABLES].sort());
});

test("newWrites: reapply, killed after the cut-over: rows written since stand in what was restored before anybody is let in, clashes are told", async () => {
  await stand.sql("ALTER TABLE pfa_records DROP CONSTRAINT older");
  await stand.insertWell("B-1", "B-CLASH");
  await stand.update("A-1", "changed since");
  const preview = await stand.verb<PreviewOutcome>("preview", "--scope", "restore", "--new-writes", "reapply");
  expect(preview.code, preview.stderr).toBe(0);
  const told = preview.json.preview!.databases["pfa"]!;
  expect(told.atRisk?.rows["pfa_records"]).toEqual({ inserted: 2, updated: 1, deleted: 0 });
  expect(told.putBack).toBeGreaterThanOrEqual(3);
  expect((await stand.verb("rollback", "--new-writes", "nonsense", "--yes")).code).toBe(2);

  const snapshot = (await stand.snapshots()).at(-1)!;
  await stand.interrupt("data.after", "provider", [
    { path: ["release"], value: "v3.0.0" },
    { path: ["data"], value: `${snapshot.name}@${snapshot.generation}` },
    { path: ["services", "worker", "run"], value: "off" },
    { path: ["newWrites"], value: "reapply" },
  ]);
  expect(stand.gate()?.mode).toBe("closed");
  const update = await stand.upWell();
  expect(update.output).toContain("were left out");
  expect(await stand.version()).toBe("v3.0.0");
  expect(await stand.ids()).toEqual(["A-1", "A-2", "B-1"]);
  expect(await stand.sql("SELECT description FROM pfa_records WHERE pfa_id = 'A-1'")).toEqual([{ description: "changed since" }]);

  const { epoch } = (await stand.last())!;
  const journal = await stand.journal(epoch);
  const done = journal.findLast(({ step, status }) => step === "put rows back into pfa" && status === "finished")?.detail as Reapplied;
  expect(done.tables["pfa_records"]).toMatchObject({ conflicts: 1 });
  expect(done.counts["pfa_records"]).toBe(3);
  // The snapshot was taken when both tables were gone.
  expect(Object.keys(done.notHeld.tables)).toEqual(expect.arrayContaining(["pfa_write_queue"]));
  const clashes = readFileSync(done.conflictFile!, "utf8").trim().split("\n");
  expect(clashes).toHaveLength(done.conflicts);
  expect(clashes.join("\n")).toMatch(/pfa_records.*constraint violated.*older/);
  // In the fence: before users, and before the checks.
  const order = journal.filter(({ status }) => status === "finished").map(({ phase, step }) => `${phase} ${step}`);
  expect(order.indexOf("data put rows back into pfa")).toBeLessThan(order.findIndex((step) => step.startsWith("start")));
  const checks = journal.findLast(({ step }) => step === "results")?.detail as { name: string; status: string; detail: string }[];
  expect(checks.find(({ name }) => name === "count")).toMatchObject({
    status: "passed",
    detail: expect.stringContaining("pfa_records 3") as string,
  });
  const kept = (await stand.exports(epoch)).map(({ path }) => readFileSync(path, "utf8")).join("");
  for (const id of ["B-1", "B-CLASH"]) expect(kept).toContain(id);
  expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);
});

test("undo with --new-writes reapply: rows written since the rollback stand in the data that comes back", async () => {
  await stand.insertWell("C-1");
  const wrong = await stand.verb<{ error: { message: string } }>("undo", "--new-writes", "nonsense", "--yes");
  expect(wrong).toMatchObject({
    code: 2,
    json: { error: { message: expect.stringMatching(/not one of export, reapply, reject/) as string } },
  });
  const { code, json, stderr } = await stand.verb<UndoOutcome>("undo", "--new-writes", "reapply", "--yes");
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/of these rows are put back before users are let in/);
  expect(json.putBack).toMatchObject([{ database: "pfa" }]);
  expect(await stand.version()).toBe("v4.0.0");
  expect(await stand.ids()).toEqual(["A-1", "A-2", "B-1", "B-CLASH", "C-1"]);
});

test("an undo that was killed goes on as it was begun: without words of its own, and never with others for the rows", async () => {
  const back = await stand.verb("rollback", "--scope", "restore", "--new-writes", "export", "--yes", "--incident", "INC-9");
  expect(back.code, back.stderr).toBe(0);
  expect(await stand.version()).toBe("v3.0.0");
  await stand.update("A-2", "changed after the rollback");
  await stand.killVerb("fence.after", "undo", "--new-writes", "reapply", "--yes");
  const other = await stand.verb<{ error: { message: string } }>("undo", "--new-writes", "export", "--yes");
  expect(other.code).toBe(3);
  expect(other.json.error.message).toMatch(/begun without --new-writes export: finish it with `.*undo --new-writes reapply --stack e2e`/);
  const { code, stderr } = await stand.verb<UndoOutcome>("undo", "--yes");
  expect(code, stderr).toBe(0);
  expect(await stand.version()).toBe("v4.0.0");
  expect(await stand.ids()).toEqual(["A-1", "A-2", "B-1", "B-CLASH", "C-1"]);
  expect(await stand.sql("SELECT description FROM pfa_records WHERE pfa_id = 'A-2'")).toEqual([
    { description: "changed after the rollback" },
  ]);
  expect((await stand.verb<{ error: { message: string } }>("undo", "--new-writes", "export", "--yes")).json.error.message).toMatch(
    /^this undo is done already: --new-writes export has no rows/,
  );
});
