/** The drill's own checks, computed from its observations. Pure; none relies on the toolkit's own report. */
import type { CheckResult } from "../config/system/check.ts";
import { changesInWords } from "../databases/shared/at-risk.ts";
import type { ContentDifference } from "./contents.ts";
import { type Counts, total } from "./differences.ts";
import type { GateSample } from "./gate-watch.ts";
import type { Judgement } from "./witness/judge.ts";

export const passed = (name: string, detail: string): CheckResult => ({ name, status: "passed", detail });
export const failed = (name: string, detail: string): CheckResult => ({ name, status: "failed", detail });
export const skipped = (name: string, detail: string): CheckResult => ({ name, status: "skipped", detail });

const time = (wall: number): string => new Date(wall).toISOString();

/** Times of a rollout, milliseconds of wall clock. */
export interface RolloutTimes {
  /** End of the last step of the fence. Null: never. */
  fencedAt: number | null;
  /** End of a verification with every check passed. Null: never. */
  verifiedAt: number | null;
}

/** Users must be kept out until verification has passed, as seen at the gate and by a client that writes continuously. */
export function gateCheck(times: RolloutTimes, samples: readonly GateSample[], acknowledgedAt: readonly number[]): CheckResult {
  const name = "gate-closed-until-verified";
  const { fencedAt, verifiedAt } = times;
  if (fencedAt === null) return failed(name, "the journal has no closed fence");
  // If verification never passed, the gate must never have opened.
  const until = verifiedAt ?? Infinity;
  const closedFrom = samples.findIndex(({ mode }) => mode === "closed");
  if (closedFrom === -1) return failed(name, `none of ${samples.length} samples shows the gate closed`);
  const early = samples.slice(closedFrom).find(({ at, mode }) => mode !== null && mode !== "closed" && at < until);
  const verified = verifiedAt === null ? "never" : time(verifiedAt);
  if (early !== undefined)
    return failed(
      name,
      `the gate was ${early.mode} at ${time(early.at)}, but verification passed ${verified === "never" ? verified : `at ${verified}`}`,
    );
  const write = acknowledgedAt.find((at) => at > fencedAt && at < until);
  if (write !== undefined)
    return failed(name, `a user's write was acknowledged at ${time(write)}, after the fence and before verification passed (${verified})`);
  const closed = samples.filter(({ mode }) => mode === "closed").length;
  return passed(
    name,
    `seen closed ${closed} times; verification passed ${verified}, first write after it ${firstAfter(acknowledgedAt, until)}`,
  );
}

function firstAfter(acknowledgedAt: readonly number[], wall: number): string {
  const first = acknowledgedAt.find((at) => at >= wall);
  return first === undefined ? "none" : time(first);
}

/** With `newWrites: reapply` every acknowledged write must be in the live data again. */
export function putBackCheck({ accountedFor: { live, quarantine, export: exported } }: Pick<Judgement, "accountedFor">): CheckResult {
  const name = "rows-put-back";
  if (live === 0) return failed(name, "no write of the witness is in the live data");
  if (quarantine + exported > 0)
    return failed(name, `${quarantine + exported} acknowledged writes of the witness were not put back: ${live} are in the live data`);
  return passed(name, `all ${live} acknowledged writes of the witness are in the live data again`);
}

export interface QuarantineFacts {
  /** Null: the rollback named none. */
  name: string | null;
  exists: boolean;
  /** The witness's rows in it. */
  witnessRows: number;
}

export function quarantineCheck({ name: database, exists, witnessRows }: QuarantineFacts): CheckResult {
  const name = "quarantine-kept";
  if (database === null) return failed(name, "the rollback restored data, but names no quarantine");
  if (!exists) return failed(name, `the quarantine ${database} does not exist any more`);
  if (witnessRows === 0) return failed(name, `the quarantine ${database} holds none of the witness's rows`);
  return passed(name, `${database} holds ${witnessRows} rows of the witness`);
}

/** One exported file on disk. */
export interface ExportFacts {
  path: string;
  /** Table in the file's name; null: none. */
  table: string | null;
  kind: "jsonl" | "csv";
  recorded: { sha256: string; rows: number };
  /** Null: the file is missing or damaged. */
  found: { sha256: string; rows: number; operations: Counts | null } | null;
}

/** @param differences pristine against quarantine, counted by the drill itself. */
export function exportsCheck(differences: Record<string, Counts>, files: readonly ExportFacts[], judgement: Judgement | null): CheckResult {
  const name = "exports-complete";
  const wrong: string[] = [];
  for (const { path, kind, table, recorded, found } of files) {
    if (found === null) wrong.push(`${path} is missing or damaged`);
    else if (found.sha256 !== recorded.sha256)
      wrong.push(`${path} has sha256 ${found.sha256.slice(0, 12)}…, recorded ${recorded.sha256.slice(0, 12)}…`);
    else if (found.rows !== recorded.rows) wrong.push(`${path} holds ${found.rows} rows, recorded ${recorded.rows}`);
    const counted = table === null ? undefined : differences[table];
    if (found === null) continue;
    if (counted === undefined) wrong.push(`${path} belongs to no table that was compared`);
    else if (kind === "csv" && found.rows !== counted.inserted + counted.updated)
      wrong.push(`${path} holds ${found.rows} rows, set aside ${counted.inserted + counted.updated}`);
    else if (kind === "jsonl" && !sameCounts(found.operations, counted))
      wrong.push(`${path} holds ${inWords(found.operations)}, set aside ${inWords(counted)}`);
  }
  for (const [table, counts] of Object.entries(differences))
    if (total({ [table]: counts }) > 0 && !files.some((file) => file.table === table && file.kind === "jsonl"))
      wrong.push(`${total({ [table]: counts })} rows of ${table} were set aside and are in no export`);
  for (const [table, { inserted, updated }] of Object.entries(differences))
    if (inserted + updated > 0 && !files.some((file) => file.table === table && file.kind === "csv"))
      wrong.push(`${inserted + updated} rows of ${table} were set aside and are in no CSV`);
  const missing = judgement?.exports.missing.length ?? 0;
  if (missing > 0) wrong.push(`${missing} changes of the witness are in no export`);
  if (wrong.length > 0) return failed(name, wrong.join("; "));
  return passed(
    name,
    `${files.length} files with the ${total(differences)} rows that were set aside; ${judgement?.exports.found ?? 0} changes of the witness among them`,
  );
}

function sameCounts(one: Counts | null, other: Counts): boolean {
  return one !== null && one.inserted === other.inserted && one.updated === other.updated && one.deleted === other.deleted;
}

function inWords(counts: Counts | null): string {
  return counts === null ? "nothing readable" : changesInWords(counts);
}

export function contentCheck(differences: readonly ContentDifference[], rows: number): CheckResult {
  const name = "restored-content";
  if (rows === 0) return failed(name, "no rows before the deployment: nothing to compare");
  if (differences.length === 0) return passed(name, `all ${rows} rows are as they were before the deployment`);
  const told = differences.map(({ table, before, after }) =>
    before === null || after === null
      ? `${table} is ${after === null ? "missing" : "new"}`
      : before.rows === after.rows
        ? `rows of ${table} have different content (${after.rows} rows)`
        : `${table} has ${after.rows} rows, before the deployment ${before.rows}`,
  );
  return failed(name, told.join("; "));
}

/** A service, seen from outside. */
export interface SeenRelease {
  service: string;
  /** Null: declared to be stopped. */
  pinned: string | null;
  /** Release in its answer; null: no answer. */
  seen: string | null;
}

export function releasesCheck(seen: readonly SeenRelease[]): CheckResult {
  const name = "releases-outside";
  const wrong = seen.filter(({ pinned, seen: release }) => pinned !== release);
  const words = (release: string | null): string => release ?? "nothing";
  if (wrong.length > 0)
    return failed(
      name,
      wrong.map(({ service, pinned, seen: release }) => `${service} answers as ${words(release)}, pinned is ${words(pinned)}`).join("; "),
    );
  return passed(name, seen.map(({ service, seen: release }) => `${service} ${release ?? "stopped"}`).join(", "));
}

/** Loss by content: no acknowledged write may be missing or wrong, and no deleted row may reappear. */
export function witnessChecks(judgement: Judgement): CheckResult[] {
  const { acknowledged, accountedFor, lost, wrong, resurrected, problems } = judgement;
  const writes = acknowledged.inserts + acknowledged.updates + acknowledged.deletes;
  const where = `${accountedFor.live} in the live data, ${accountedFor.quarantine} in quarantine, ${accountedFor.export} in exports`;
  const first = (rows: readonly { id: string }[]): string => (rows[0] === undefined ? "" : `, the first is ${rows[0].id}`);
  return [
    writes === 0
      ? failed("nothing-lost", "no write of the witness was acknowledged: nothing to judge")
      : lost.length > 0
        ? failed("nothing-lost", `${lost.length} of ${writes} acknowledged writes are lost${first(lost)}`)
        : passed("nothing-lost", `${writes} acknowledged writes: ${where}`),
    wrong.length + resurrected.length > 0
      ? failed(
          "nothing-wrong",
          `${wrong.length} rows with wrong content${first(wrong)}; ${resurrected.length} deleted rows reappeared${first(resurrected)}`,
        )
      : problems.length > 0
        ? failed("nothing-wrong", problems.join("; "))
        : passed("nothing-wrong", "every row has its acknowledged content, no deleted row reappeared"),
  ];
}
