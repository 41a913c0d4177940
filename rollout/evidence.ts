/** Captures what the definition declares, at its moment. What cannot be captured stands in the manifest and stops nothing. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { targetOf } from "../workloads/index.ts";
import { definedSecret } from "../config/secrets.ts";
import {
  archiveTo,
  linkInto,
  evidenceFolder,
  filesIn,
  hashOfFile,
  MANIFEST,
  writeManifest,
  type Manifest,
} from "../state/evidence-folder.ts";
import { finished, type CaptureNote } from "../config/journal.ts";
import type { CaptureDefinition, EvidenceContext, EvidenceMoment, RunFacts } from "../config/system/evidence.ts";
import { copiesOf } from "../databases/registry.ts";
import { verifierPass } from "./gate.ts";
import { openLive, type LiveSession } from "./sessions.ts";
import type { Run } from "../config/run.ts";
import { fillNames, runFacts } from "./run-facts.ts";

const TIMEOUT_MS = 10_000;

/** A running system may be what is broken: nothing that cannot be captured stops the rollback. */
export async function captureEvidence(run: Run, moment: EvidenceMoment, known?: RunFacts): Promise<void> {
  const { evidence } = run.definition;
  if (evidence === undefined) return;
  const facts = known ?? (await runFacts(run, { failure: null, setAside: {}, completion: null }));
  const captures = evidence.captures.filter((capture) => capture.moment === moment && (capture.of ?? "back") === direction(facts));
  if (captures.length === 0) return;
  const folder = evidenceFolder(run.site.home, facts.runId);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { context, end } = contextOf(run, facts, folder);
  try {
    for (const capture of captures) await captureOne(run, moment, capture, context);
  } finally {
    await end();
  }
}

function direction({ forward }: RunFacts): "forward" | "back" {
  return forward ? "forward" : "back";
}

async function captureOne(run: Run, moment: EvidenceMoment, capture: CaptureDefinition, context: EvidenceContext): Promise<void> {
  const { facts } = context;
  const file = fillNames(capture.file, facts);
  // A run that resumes after a kill sees a system that has changed: what was captured first is the evidence.
  if (moment !== "end" && existsSync(context.path(file))) return;
  const missing = await capture.capture(context, file).then(
    (content) => {
      if (content !== null) writeFileSync(context.path(file), content, { mode: 0o600 });
      return existsSync(context.path(file)) ? null : "there was nothing to capture";
    },
    (error: Error) => error.message,
  );
  if (missing !== null) run.log("warning", `evidence: ${capture.title} is missing: ${missing}`);
  const note: CaptureNote = { id: capture.id, title: capture.title, file, missing, at: new Date().toISOString() };
  await run.state.note({
    epoch: run.epoch,
    runId: run.runId,
    // Not a phase of the rollout: also a run that failed before its record has evidence.
    phase: "evidence",
    kind: "capture",
    step: `evidence ${capture.id}`,
    status: "finished",
    detail: note,
  });
}

/** The captures of the end, the manifest over everything, and the archive. Resolves with the folder; null where nothing is declared. */
export async function closeEvidence(run: Run, facts: RunFacts): Promise<{ folder: string; manifest: Manifest } | null> {
  const { evidence } = run.definition;
  if (evidence === undefined) return null;
  await captureEvidence(run, "end", facts);
  const folder = evidenceFolder(run.site.home, facts.runId);
  if (filesIn(folder).length === 0) return null;
  const notes = new Map<string, CaptureNote>();
  for (const { detail } of finished(await run.state.journal(run.epoch), "capture")) notes.set(detail.id, detail);
  const manifest = await writeManifest(folder, {
    runId: facts.runId,
    anchor: facts.anchor,
    success: facts.success,
    captures: [...notes.values()],
  });
  const { backups } = evidence;
  if (backups !== undefined)
    for (const file of filesIn(folder).filter((name) => name.startsWith(backups.begin)))
      linkInto(join(folder, file), join(run.site.home, backups.folder, file));
  if (evidence.archive !== undefined) archiveTo(folder, join(run.site.home, evidence.archive, facts.anchor));
  return { folder, manifest };
}

function contextOf(run: Run, facts: RunFacts, folder: string): { context: EvidenceContext; end: () => Promise<void> } {
  const sessions = new Map<string, Promise<LiveSession>>();
  const context: EvidenceContext = {
    facts,
    session: async (database) => {
      const known = sessions.get(database) ?? openLive(run, database);
      sessions.set(database, known);
      return (await known).session;
    },
    get: (service, path, headers = {}) =>
      fetch(`http://127.0.0.1:${run.site.ports[service]}${path}`, {
        headers: { ...headers, "x-backout-pass": verifierPass(run.site) },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }),
    secret: (name) => definedSecret(run.site, run.definition, name),
    errorLog: (service, lines) => targetOf(run.site, run.definition).errorLog(service, lines),
    backup: async (database, file) => (await copiesOf(run, database)).backUp(run, database, join(folder, file)),
    path: (file) => join(folder, file),
    hash: async (file) => (existsSync(resolve(folder, file)) ? hashOfFile(resolve(folder, file)) : null),
    quarantineFile: async (database) => {
      const { quarantine } = facts.data[database] ?? {};
      const copy = (await run.state.catalogued()).find((entry) => entry.role === "quarantine" && entry.name === quarantine);
      return copy === undefined ? null : (await copiesOf(run, database)).fileOfCopy(run, copy);
    },
    files: () => filesIn(folder).filter((file) => file !== MANIFEST),
  };
  const end = async (): Promise<void> => {
    for (const session of sessions.values()) await session.then((live) => live.end()).catch(() => undefined);
  };
  return { context, end };
}
