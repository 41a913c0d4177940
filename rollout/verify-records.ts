/** What a stack keeps, compared with what was recorded of it: audit log, evidence, exports, snapshots. Reads everything, changes nothing. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { finished } from "../config/journal.ts";
import type { StateStore } from "../config/record.ts";
import { hashOfFile, MANIFEST, manifestDifferences } from "../state/evidence-folder.ts";
import { chainHead, chainProblems } from "../state/audit-log.ts";
import type { CopyContext } from "../databases/engine.ts";
import { copiesOf } from "../databases/registry.ts";
import { artefactProblems, storedFiles } from "../state/store/artefact.ts";
import { elsewhere as storedElsewhere } from "./artefacts.ts";
import { auditLogFile, auditLogHead, completeAlone, endedElsewhere } from "./audit-log.ts";

/** One thing that is not as it was recorded. */
export interface RecordProblem {
  what: "audit log" | "evidence" | "export" | "snapshot";
  /** File, folder, or snapshot with its generation. */
  where: string;
  problem: string;
}

export interface RecordsVerified {
  /** How much was compared. */
  checked: { lines: number; evidence: number; exports: number; snapshots: number };
  problems: RecordProblem[];
}

export async function verifyRecords(keeping: CopyContext): Promise<RecordsVerified> {
  const { site, state } = keeping;
  const epochs = (await state.rollouts(Number.MAX_SAFE_INTEGER)).map(({ epoch }) => epoch);
  const log = auditLogFile(site);
  await completeAlone(site, state);
  const problems: RecordProblem[] = chainProblems(log, await auditLogHead(state)).map((problem) => ({
    what: "audit log",
    where: log,
    problem,
  }));
  const evidence = await evidenceFolders(state, epochs, join(site.home, "records"));
  for (const folder of evidence)
    problems.push(...(await evidenceProblems(folder)).map((problem) => ({ what: "evidence" as const, where: folder, problem })));
  const elsewhere = await endedElsewhere(site, state);
  const exports = await Promise.all(epochs.map(async (epoch) => (await state.exports(epoch)).map((file) => ({ ...file, epoch }))));
  const away = await awayFrom(
    keeping,
    epochs.filter((epoch) => elsewhere.has(epoch)),
  );
  problems.push(...away.problems);
  const exported = exports.flat().filter(({ path, epoch }) => !elsewhere.has(epoch) || existsSync(path));
  for (const { path, sha256 } of exported) {
    const problem = await fileProblem(path, sha256);
    if (problem !== null) problems.push({ what: "export", where: path, problem });
  }
  const snapshots = await state.readySnapshots();
  for (const snapshot of snapshots) {
    const copies = await copiesOf(keeping, snapshot.database);
    // A snapshot that is being copied accepts no connections.
    const stored = await storedElsewhere(keeping, snapshot.location);
    const found =
      stored === null
        ? await state.whileMakingStandby(() => copies.snapshotProblems(keeping, snapshot))
        : await artefactProblems(stored.store, stored.stored.key, stored.stored.sha256);
    const where = `${snapshot.name}@${snapshot.generation} of ${snapshot.database}`;
    problems.push(...found.map((problem) => ({ what: "snapshot" as const, where, problem })));
  }
  return {
    checked: {
      lines: chainHead(log).lines,
      evidence: evidence.length + away.evidence,
      exports: exported.length + away.exports,
      snapshots: snapshots.length,
    },
    problems,
  };
}

/** What ended on another machine and is in the store: read there, and nothing of it is kept here. */
async function awayFrom(
  keeping: CopyContext,
  epochs: readonly number[],
): Promise<{ evidence: number; exports: number; problems: RecordProblem[] }> {
  const away = { evidence: 0, exports: 0, problems: [] as RecordProblem[] };
  for (const epoch of epochs) {
    const runId = (await keeping.state.rollout(epoch))?.runId ?? "";
    for (const what of ["evidence", "export"] as const) {
      const folder = join(keeping.site.home, what === "export" ? "exports" : "records", runId);
      const found = await storedElsewhere(keeping, folder);
      if (found === null) continue;
      const { store, stored } = found;
      const wrong = await artefactProblems(store, stored.key, stored.sha256);
      if (what === "evidence") away.evidence++;
      else if (wrong.length === 0) {
        const files = await storedFiles(store, stored.key, stored.sha256);
        const recorded = (await keeping.state.exports(epoch)).filter(({ path }) => path.startsWith(folder));
        away.exports += recorded.length;
        for (const { path, sha256 } of recorded) {
          const name = relative(folder, path);
          if (files[name]?.sha256 !== sha256) wrong.push(`${name} ${files[name] === undefined ? "is missing" : "was changed"}`);
        }
      }
      away.problems.push(...wrong.map((problem) => ({ what, where: `${store.name} ${stored.key}`, problem })));
    }
  }
  return away;
}

/** Those that lie there with a manifest, and those that a run says it closed. */
async function evidenceFolders(state: StateStore, epochs: readonly number[], records: string): Promise<string[]> {
  const there = existsSync(records)
    ? readdirSync(records, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && existsSync(join(records, entry.name, MANIFEST)))
        .map(({ name }) => join(records, name))
    : [];
  const recorded: string[] = [];
  for (const epoch of epochs)
    for (const { detail } of finished(await state.journal(epoch), "ended"))
      if (detail.evidence !== null && dirname(detail.evidence) === records) recorded.push(detail.evidence);
  return [...new Set([...there, ...recorded])].sort();
}

async function evidenceProblems(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return ["the folder is gone"];
  return manifestDifferences(folder).catch((error: Error) => [`${MANIFEST} cannot be read: ${error.message}`]);
}

async function fileProblem(path: string, sha256: string): Promise<string | null> {
  if (!existsSync(path)) return "the file is gone";
  return (await hashOfFile(path)) === sha256 ? null : "the file was changed";
}
