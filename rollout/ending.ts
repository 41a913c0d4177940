/** The end of a run, well or badly: figures, the system's own audit entry, evidence. */
import { join } from "node:path";
import { completionOf } from "../state/completion.ts";
import type { Completion } from "../config/system/completion.ts";
import type { Ended } from "../config/journal.ts";
import type { RunFacts } from "../config/system/evidence.ts";
import { openContext } from "./verification/context.ts";
import { writeAuditLine, writeAuditRow } from "./audit-entry.ts";
import { closeEvidence } from "./evidence.ts";
import { auditLogOf, recordInAuditLog } from "./audit-log.ts";
import { inLive } from "./sessions.ts";
import type { Run } from "../config/run.ts";
import { runFacts } from "./run-facts.ts";

/** @param setAside rows that are in the live data no more, by database. */
export async function endRun(run: Run, setAside: Record<string, number>): Promise<Ended> {
  const before = await runFacts(run, { failure: null, setAside, completion: null });
  const facts = { ...before, completion: before.rollback ? await completion(run, before) : null };
  return close(run, facts);
}

/** What is known when a step failed. An error in here must not hide the failure itself. */
export async function endFailedRun(run: Run, failure: string): Promise<void> {
  const rollout = await run.state.rollout(run.epoch);
  if (rollout === null) return;
  const before = await runFacts(run, { failure, setAside: {}, completion: null });
  const targets = run.definition.completion?.targets;
  const facts = { ...before, completion: before.rollback && targets !== undefined ? completionOf(false, targets, {}) : null };
  await recordInAuditLog(auditLogOf(run), {
    runId: run.runId,
    epoch: run.epoch,
    event: `${facts.forward ? "deployment" : "rollback"}-failed`,
    system: facts.system,
    stack: facts.stack,
    from: facts.from,
    to: facts.to,
    scope: facts.scope,
    reason: facts.reason,
    success: false,
    failure,
  });
  await close(run, facts);
}

async function close(run: Run, facts: RunFacts): Promise<Ended> {
  const { auditEntry } = run.definition;
  if (auditEntry !== undefined && facts.rollback) {
    const entry = auditEntry.entry(facts);
    writeAuditLine(join(run.site.home, auditEntry.file), auditEntry, entry);
    const write = inLive(run, auditEntry.database, (session) => writeAuditRow(session, auditEntry, entry));
    // A database that a failed run left half-way may not take a row; the line stands in the file.
    await (facts.success ? write : write.catch((error: Error) => run.log("warning", `no row in ${auditEntry.table}: ${error.message}`)));
  }
  const evidence = await closeEvidence(run, facts);
  const ended: Ended = { completion: facts.completion, evidence: evidence?.folder ?? null, anchor: facts.anchor };
  await run.state.note({
    epoch: run.epoch,
    runId: run.runId,
    phase: "evidence",
    kind: "ended",
    step: "ended",
    status: "finished",
    detail: ended,
  });
  return ended;
}

async function completion(run: Run, facts: RunFacts): Promise<Completion | null> {
  const { completion: definition } = run.definition;
  if (definition === undefined) return null;
  const restored = facts.openedAt !== null;
  return completionOf(restored, definition.targets, {
    rollbackSeconds: facts.openedAt === null ? null : (Date.parse(facts.openedAt) - Date.parse(facts.startedAt)) / 1000,
    rowsLost: Object.values(facts.data).reduce((sum, { rows }) => sum + rows, 0),
    ...(restored ? await measured(run) : {}),
  });
}

/** A figure that cannot be taken is one that was not measured. */
async function measured(run: Run): Promise<Record<string, number>> {
  const definition = run.definition.completion;
  const pins = (await run.state.rollout(run.epoch))?.pins;
  if (definition?.measure === undefined || pins === undefined || pins.maintenance.mode !== "off") return {};
  const context = await openContext(run, pins, { open: true });
  try {
    return await definition.measure(context);
  } catch (error) {
    run.log("warning", `availability and error rate were not measured: ${(error as Error).message}`);
    return {};
  } finally {
    await context.end();
  }
}
