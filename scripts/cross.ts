/** Brings a stack to changed pins by `pulumi up`, and tells afterwards what the control record says happened. */
import { readFileSync } from "node:fs";
import { openControl } from "../control/open.ts";
import type { ControlRecord, Crossing, JournalEntry } from "../control/record.ts";
import { PHASES } from "../crossing/phases.ts";
import { reappliedBy, type ReappliedTold } from "../crossing/steps/reapply.ts";
import type { Ended } from "../crossing/ending.ts";
import type { Completion } from "../systems/completion.ts";
import type { CheckResult, ScopeDefinition } from "../systems/definition.ts";
import { upCommand } from "../declared/commands.ts";
import { usersAreOut } from "../crossing/gate.ts";
import { startStoppedServer } from "./embedded-server.ts";
import { ensureStack, runPulumi, type PulumiOutcome } from "./pulumi-run.ts";
import { type OpenStack, writeStack } from "./stack.ts";
import { say } from "./verbs/outcome.ts";

export interface PhaseTime {
  name: string;
  seconds: number;
  budgetSeconds: number | null;
  status: "done" | "failed" | "over budget";
}

export interface CrossingOutcome {
  ok: boolean;
  runId: string;
  epoch: number | null;
  /** Of the last crossing; `none` before the first, `unknown` where the control record cannot be asked. */
  state: string;
  scope: string | null;
  from: string | null;
  to: string;
  seconds: number;
  cutOverMs: number | null;
  quarantine: string | null;
  phases: PhaseTime[];
  checks: CheckResult[];
  exported: { path: string; sha256: string; rows: number }[];
  /** With `carry: reapply`, by database: rows that were put back, conflicts, and what the restored schema does not hold. */
  putBack: ReappliedTold[];
  /** How it went by the system's own targets; null where it has none, or is a deployment. */
  completion: Completion | null;
  /** Folder of the evidence; null where the system declares none. */
  evidence: string | null;
  /** Why it failed, and what to run next; null when it did not. */
  failure: string | null;
  /** Nothing was closed, stopped or changed. */
  refused: boolean;
  /** The command that goes on with an update, or carries out changed pins. */
  up: string;
}

/** Writes the pins and runs the update. A refused update leaves the stack file as it was. */
export async function cross(before: OpenStack, text: string, runId: string, reason: string | null): Promise<CrossingOutcome> {
  // Selecting costs as much as a start of the engine; a file without the mark of a stack that was made belongs to none.
  if (!/^(?:encryptionsalt|secretsprovider):/m.test(before.text)) await ensureStack(before.project, before.stack);
  const startedAt = performance.now();
  let ran = await update(before, text, runId, reason);
  if (ran.code !== 0 && /^error: no stack named /m.test(ran.output)) {
    await ensureStack(before.project, before.stack);
    ran = await update(before, text, runId, reason);
  }
  const { code, output } = ran;
  const outcome = await outcomeOf(before, runId, (performance.now() - startedAt) / 1000, code, output);
  if (outcome.refused) writeStack(before, keepSalt(before, before.text));
  return outcome;
}

async function update(before: OpenStack, text: string, runId: string, reason: string | null): Promise<PulumiOutcome> {
  writeStack(before, keepSalt(before, text));
  const call = {
    project: before.project,
    stack: before.stack,
    arguments: ["up", "--yes", "--skip-preview", "--suppress-outputs"],
    environment: { BACKOUT_RUN_ID: runId, ...(reason === null ? {} : { BACKOUT_REASON: reason }) },
    onLine: progress(),
  };
  try {
    return await runPulumi(call);
  } catch (error) {
    // There was no engine that could have changed anything.
    writeStack(before, keepSalt(before, before.text));
    throw error;
  }
}

/** `stack select --create` writes the passphrase's salt into the stack file; it must survive our own edit of what we read before. */
function keepSalt(stack: OpenStack, text: string): string {
  if (/^encryptionsalt:/m.test(text)) return text;
  const salt = /^encryptionsalt:.*$/m.exec(readFileSync(stack.file, "utf8"));
  return salt === null ? text : `${text.trimEnd()}\n${salt[0]}\n`;
}

/** Of the engine's lines only ours, each once: phases, warnings, errors. */
function progress(): (line: string) => void {
  const said = new Set<string>();
  return (line) => {
    // What Plan says was told before anything began.
    const found = /backout:index:(?!Plan)\w+ \S+ (?:updating|creating|deleting)[^)]*\) (.+)$/.exec(line)?.[1];
    const text = found?.replace(/^\[diff: [^\]]*\];?\s*/, "").trim();
    if (text === undefined || text === "" || text === "error: 1 error occurred:" || said.has(text)) return;
    said.add(text);
    say(`  ${text}`);
  };
}

async function outcomeOf(stack: OpenStack, runId: string, seconds: number, code: number, output: string): Promise<CrossingOutcome> {
  const { control, silent } = await askControl(stack, code);
  try {
    const crossing = (await control?.lastCrossing()) ?? null;
    const ours = crossing !== null && control !== null && (await worked(control, crossing, runId));
    const journal = ours ? await control.journal(crossing.epoch) : [];
    const scope = ours && crossing.plan.scope !== null ? stack.definition.scopes[crossing.plan.scope] : undefined;
    // Who cannot ask does not know whether anything was changed: then the pins stay.
    const refused = code !== 0 && silent === null && (!ours || crossing.state === "refused");
    const cut = journal.findLast(({ step, status, detail }) => status === "finished" && step.startsWith("cut over") && detail !== null)
      ?.detail as { cutOverMs: number; quarantine: string } | undefined;
    const ended = journal.findLast(({ phase, step, status }) => phase === "evidence" && step === "ended" && status === "finished")
      ?.detail as Ended | undefined;
    return {
      ok: code === 0,
      runId,
      epoch: crossing?.epoch ?? null,
      state: silent !== null ? "unknown" : (crossing?.state ?? "none"),
      scope: crossing?.plan.scope ?? null,
      from: ours ? crossing.plan.fromRelease : null,
      to: crossing?.plan.toRelease ?? stack.declared.release,
      seconds: round(seconds),
      cutOverMs: cut === undefined ? null : Math.round(cut.cutOverMs * 10) / 10,
      quarantine: cut?.quarantine ?? null,
      phases: phaseTimes(journal, scope),
      checks: (journal.findLast(({ phase, step }) => phase === "verify" && step === "results")?.detail as CheckResult[] | undefined) ?? [],
      exported: ours ? await control.exports(crossing.epoch) : [],
      putBack: ours ? await reappliedBy({ control, definition: stack.definition }, crossing.epoch) : [],
      completion: ended?.completion ?? null,
      evidence: ended?.evidence ?? null,
      failure: code === 0 ? null : refused ? failureOf(output) : whatNext(stack, failureOf(output), silent),
      refused,
      up: upCommand(stack.site),
    };
  } finally {
    await control?.end();
  }
}

/** The control record, or why it says nothing. A server of our own that died in the update is started, as the next update would. */
async function askControl(
  { site, definition }: OpenStack,
  code: number,
): Promise<{ control: ControlRecord | null; silent: string | null }> {
  try {
    if (code !== 0) await startStoppedServer(site);
    return { control: await openControl(site, definition), silent: null };
  } catch (error) {
    return { control: null, silent: (error as Error).message };
  }
}

/** Who was interrupted, or lost the provider, has only the engine's own words. */
function whatNext({ site }: OpenStack, failure: string, silent: string | null): string {
  const up = upCommand(site);
  const lines = [failure];
  if (silent !== null)
    lines.push(
      `What became of it is not known: the control record does not answer (${silent}). The pins stay as they were written. Once it answers, run \`${up}\`: it goes on from where it is.`,
    );
  else if (!failure.includes("The gate stays closed") && usersAreOut(site))
    lines.push(`Users are kept out now (the gate is closed). Run \`${up}\`: it goes on from where it is.`);
  return lines.join("\n");
}

async function worked(control: ControlRecord, crossing: Crossing, runId: string): Promise<boolean> {
  return crossing.runId === runId || (await control.journal(crossing.epoch)).some((entry) => entry.runId === runId);
}

/** Seconds per phase: from the first start to the last end of its steps, in each run that worked at it; what lay between runs is nobody's work. */
export function phaseTimes(journal: (JournalEntry & { at: string })[], scope: ScopeDefinition | undefined): PhaseTime[] {
  return PHASES.flatMap((name) => {
    const entries = journal.filter(({ phase, step }) => phase === name && step !== "results");
    const last = entries.at(-1);
    if (last === undefined) return [];
    const runs = [...Map.groupBy(entries, ({ runId }) => runId).values()];
    const seconds = round(runs.reduce((sum, run) => sum + Date.parse(run.at(-1)!.at) - Date.parse(run[0]!.at), 0) / 1000);
    const budgetSeconds = scope?.phaseBudgets[name] ?? null;
    const failed = last.status === "failed" || last.status === "started";
    return [
      {
        name,
        seconds,
        budgetSeconds,
        status: failed
          ? ("failed" as const)
          : budgetSeconds !== null && seconds > budgetSeconds
            ? ("over budget" as const)
            : ("done" as const),
      },
    ];
  });
}

/** What ends a message in the engine's summary. */
const HEADING = /^(?:backout|pulumi):\S+ \(.*\):$|^(?:error|warning): |^(?:Outputs|Resources|Policies|Duration):/;

/** The engine's error lines, without its own frame around them. */
function failureOf(output: string): string {
  // The reasons of what could not be made come as a list, of one.
  const lines = output.replace(/^(\s*error: )1 error occurred:\n\s*\* /gm, "$1").split("\n");
  const at = lines.findIndex((line) => /^Diagnostics:/.test(line));
  const said = (at === -1 ? lines : lines.slice(at + 1)).map((line) => line.trim());
  const errors: string[] = [];
  for (let index = 0; index < said.length; index++) {
    const found = /^error: (.*)$/.exec(said[index] ?? "");
    if (found?.[1] === undefined || found[1] === "update failed") continue;
    errors.push(found[1].replace(/^backout:index:\w+ resource '\w+' has a problem: /, ""));
    // A message may have empty lines of its own; what follows it begins with a heading.
    for (let next = index + 1; next < said.length && !HEADING.test(said[next]!); next++) if (said[next] !== "") errors.push(said[next]!);
  }
  return [...new Set(errors)].join("\n") || lines.slice(-5).join("\n");
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
