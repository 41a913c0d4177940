/** What is kept of past runs, tampered with: `history --verify` names each thing, and the next entry of the log notices what is missing. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { openState } from "../../databases/open-state.ts";
import { auditLogFile } from "../../rollout/audit-log.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import type { HistoryVerified } from "../../scripts/verbs/history.ts";
import { makeStand, PINS, succeeded, type Stand } from "./stand.ts";

let stand: Stand | undefined;
afterEach(() => stand?.destroy());

const verified = async () => (await stand!.verb<HistoryVerified>("history", "--verify")).json;
const lines = (): string[] => readFileSync(auditLogFile(stand!.site), "utf8").trimEnd().split("\n");

test("files: a line at the end of the log, evidence and a snapshot", async () => {
  stand = await makeStand({ system: "orbis-forge", release: "v2.4.0" });
  expect((await stand.verb("deploy", "v2.4.0", "--yes")).code).toBe(0);
  expect((await stand.verb("deploy", "phase-3.0.0", "--yes", "--reason", "test")).code).toBe(0);
  const rollback = await stand.verb<RolloutOutcome>("rollback", "--scope", "full", "--to", "v2.4.0", "--no-block", "--yes");
  expect(rollback.json.failure).toBeNull();
  const sound = await verified();
  expect(sound).toMatchObject({ ok: true, problems: [] });
  expect(sound.checked.evidence).toBeGreaterThan(0);
  expect(sound.checked.snapshots).toBeGreaterThan(0);
  expect(sound.checked.lines).toBe(lines().length);

  writeFileSync(auditLogFile(stand.site), `${lines().slice(0, -1).join("\n")}\n`);
  const evidence = rollback.json.evidence!;
  writeFileSync(join(evidence, "anchor_metadata.json"), "{}");
  const state = await openState(stand.site, stand.definition);
  const [snapshot] = await state!.readySnapshots().finally(() => state!.end());
  const pristine = new DatabaseSync(snapshot!.location);
  pristine.exec("DELETE FROM user_permissions WHERE user_id = 'reader'");
  pristine.close();
  const { code, json } = await stand.verb<HistoryVerified>("history", "--verify");
  expect(code).toBe(1);
  expect(json.ok).toBe(false);
  expect(json.problems).toContainEqual({
    what: "audit log",
    where: auditLogFile(stand.site),
    problem: expect.stringMatching(/lines at its end are missing$/) as string,
  });
  expect(json.problems).toContainEqual({ what: "evidence", where: evidence, problem: "anchor_metadata.json was changed" });
  expect(json.problems).toContainEqual({
    what: "snapshot",
    where: `${snapshot!.name}@${snapshot!.generation} of production`,
    problem: expect.stringContaining("user_permissions") as string,
  });
  expect(json.problems).toHaveLength(3);
});

test("a server: the log's next entry says what is missing, an export and a pristine database are gone", async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.upWell(PINS.forward);
  await stand.untilStandby();
  await stand.insertWell("SINCE-1");
  writeFileSync(auditLogFile(stand.site), `${lines().slice(0, -1).join("\n")}\n`);
  const [snapshot] = await stand.snapshots();
  const back = succeeded(await stand.up(PINS.restore(`${snapshot!.name}@${snapshot!.generation}`)));
  expect(back.output).toMatch(/the audit log \S+ is not as it was written: it has 1 lines and had 2/);
  expect(JSON.parse(lines().at(-1)!)).toMatchObject({ event: "rollback", broken: [expect.stringContaining("had 2")] });
  expect((await verified()).problems).toEqual([]);

  const [exported, other] = await stand.exports((await stand.last())!.epoch);
  rmSync(exported!.path);
  appendFileSync(other!.path, "\n");
  await stand.session("postgres", (client) => client.query(`DROP DATABASE "${snapshot!.location}"`));
  expect((await verified()).problems).toEqual([
    { what: "export", where: exported!.path, problem: "the file is gone" },
    { what: "export", where: other!.path, problem: "the file was changed" },
    {
      what: "snapshot",
      where: `${snapshot!.name}@${snapshot!.generation} of pfa`,
      problem: `the database ${snapshot!.location} is gone`,
    },
  ]);
});
