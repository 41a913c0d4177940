/** One round: a witness writes, an action runs, processes are killed, and the advised command runs until all is as declared. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { secretOf } from "../../config/site.ts";
import { outsideOf } from "../outside.ts";
import { urlOf, type Stage } from "../stage.ts";
import { judgementOf, readJournal, startWitness, stopWitness, untilSeen, type WitnessRun } from "../witness-process.ts";
import type { Judgement } from "../witness/judge.ts";
import { advisedIn, advisesToWait, commandIn, type Advised } from "./advice.ts";
import { begin } from "./begin.ts";
import { showAction, showKill, type Action, type Choices, type Kill } from "./choices.ts";
import { run, show, type Ran } from "./command.ts";
import type { Dice } from "../dice.ts";
import { exportsOf } from "./memory.ts";
import { lockedOut } from "./outsiders.ts";
import { killNow, pidsOf, workersOf } from "./victims.ts";
import { lookAtAll, type Seen } from "./inspect.ts";
import { drillOf } from "../../config/system/drill.ts";

export interface Round {
  kills: number;
  /** What is not as declared after the last try; empty: converged. */
  wrong: string[];
  acknowledged: number;
  /** Findings of the witness: lost writes, wrong content, reappeared rows. */
  lost: string[];
  lockedOut: string[];
  /** Release that is pinned in the end. */
  release: string;
  epoch: number;
  journalFile: string;
}

/** Commands in a round, the action included. */
const MOST_COMMANDS = 10;
const WRITES = 10;
const WRITES_LIMIT_MS = 20_000;
const WAIT_MS = 3_000;
/** Exit code of a command that changed nothing. */
const REFUSED = 3;
/** Time until a kill is noticed or a start is finished. Milliseconds. */
const SETTLES_MS = 15_000;

/** What a round is played with. */
export interface Table {
  /** What is, as the round begins. */
  before: Seen;
  dice: Dice;
  say: (line: string) => void;
  stopping: AbortSignal;
}

export async function runRound(stage: Stage, number: number, { action, kills, again }: Choices, table: Table): Promise<Round> {
  const { before, say } = table;
  const witness = await beginWitness(stage, number);
  try {
    if (before.open) await untilSeen(witness, ({ acknowledgedAt }) => acknowledgedAt.length >= WRITES, WRITES_LIMIT_MS);
    say(`  ${showAction(action)}; kills: ${kills.map(showKill).join(", ") || "nobody"}`);
    const { seen, killed, done } = await untilDeclared(stage, await begin(stage, number, action, before.status), [...kills], again, table);
    const wrong = seen.wrong.length > 0 ? seen.wrong : wrongGoal(stage, action, before.release, seen.release, done);
    if (wrong.length === 0 && seen.open) {
      const enough = readJournal(witness).acknowledgedAt.length + WRITES / 2;
      if (!(await untilSeen(witness, ({ acknowledgedAt }) => acknowledgedAt.length >= enough, WRITES_LIMIT_MS)))
        wrong.push("users are let in, and the witness's writes are not answered");
    }
    await untilQuiet(stage);
    const out = await untilNone(() => lockedOut(stage));
    const epoch = seen.status?.rollout?.epoch ?? before.status?.rollout?.epoch ?? 0;
    const judgement = await judge(stage, witness, before.status?.rollout?.epoch ?? 0, epoch);
    writeFileSync(join(witness.folder, "judgement.json"), JSON.stringify(judgement, null, 2));
    const { inserts, updates, deletes } = judgement.acknowledged;
    for (const problem of judgement.problems) say(`  the witness remarks: ${problem}`);
    if (judgement.exports.missing.length > 0) say(`  ${judgement.exports.missing.length} changes are in no export, only in the quarantine`);
    return {
      kills: killed,
      wrong,
      acknowledged: inserts + updates + deletes,
      lost: foundLost(judgement),
      lockedOut: out,
      release: seen.release,
      epoch,
      journalFile: witness.journalFile,
    };
  } finally {
    await stopWitness(witness);
  }
}

function beginWitness(stage: Stage, number: number): Promise<WitnessRun> {
  const { witness } = drillOf(stage.definition);
  return startWitness(
    { drill: stage.folder, folder: join(stage.folder, `round-${number}`), intervalMs: 20 },
    witness,
    urlOf(stage, witness.service),
    (name) => secretOf(stage.site, name),
  );
}

function foundLost({ lost, wrong, resurrected, accountedFor }: Judgement): string[] {
  const found = [
    ...lost.map(({ id, op, at }) => `${op} of ${id}, acknowledged ${at}, is lost`),
    ...wrong.map(
      ({ id, database, expected, found, why }) =>
        `${id} in ${database} is ${found ?? "missing"} instead of ${expected ?? "deleted"}: ${why}`,
    ),
    ...resurrected.map(({ id, database, deletedAt }) => `${id} reappeared in ${database}, deleted ${deletedAt}`),
  ];
  return found.length === 0 && accountedFor.nowhere > 0 ? [`${accountedFor.nowhere} acknowledged writes are lost`] : found;
}

interface Ended {
  seen: Seen;
  killed: number;
  /** The action's own command ended well. */
  done: boolean;
}

async function untilDeclared(stage: Stage, first: Advised, kills: Kill[], again: boolean, { dice, say, stopping }: Table): Promise<Ended> {
  let command = first;
  let killed = 0;
  let done = false;
  for (let count = 1; ; count++) {
    stopping.throwIfAborted();
    const text = readFileSync(stage.stack.file, "utf8");
    const ran = await run(stage, command, nextKills(kills), dice);
    killed += ran.killed.length;
    say(`  ${count}. ${show(command)}: ${endOf(ran)}${ran.killed.map((kill) => `, killed: ${kill}`).join("")}`);
    if (command === first && ran.code === 0) done = true;
    if (ran.code === REFUSED && readFileSync(stage.stack.file, "utf8") !== text)
      return {
        seen: { ...(await lookAtAll(stage)), wrong: [`${show(command)} was refused, and has changed the stack file`] },
        killed,
        done,
      };
    killed += killIdle(stage, ran.missed, dice, say);
    const seen = await untilSettled(stage, ran.code === 0);
    const over = count >= MOST_COMMANDS || ran.overtime;
    const well = seen.wrong.length === 0 && !ran.overtime;
    if (well && (over || (kills.length === 0 && endedWell(ran)))) return { seen, killed, done };
    if (over)
      return {
        seen: { ...seen, wrong: [...seen.wrong, ran.overtime ? `${show(command)} did not end` : `after ${count} commands`] },
        killed,
        done,
      };
    if (well && endedWell(ran)) {
      // All is as declared, and a kill is left: use an update that changes nothing.
      command = { tool: "pulumi", words: ["up"] };
      continue;
    }
    if (advisesToWait(messageOf(ran))) await sleep(WAIT_MS);
    else command = nextCommand(ran, command, seen, again);
    if (!well) say(`     ${seen.wrong.join("; ")}`);
  }
}

/** Done, rolled back automatically, or refused without a change: no advised command is left. */
function endedWell({ code, json }: Ran): boolean {
  const { rolledBack } = (json ?? {}) as { rolledBack?: { ok?: boolean } | null };
  return code === 0 || code === REFUSED || rolledBack?.ok === true;
}

/** The next one, and those that are to come with it. */
function nextKills(kills: Kill[]): Kill[] {
  const next = kills.splice(0, 1);
  while (kills[0]?.together === true) next.push(kills.shift()!);
  return next;
}

/** A victim whose command had already ended is killed now, if it still runs. */
function killIdle(stage: Stage, missed: readonly Kill[], dice: Dice, say: (line: string) => void): number {
  let killed = 0;
  for (const kill of missed) {
    if (!["service", "gate", "postgres", "standby"].includes(kill.victim)) continue;
    const pids = pidsOf(kill.victim, stage, null);
    if (pids.length === 0 || !killNow(dice.pick(pids))) continue;
    say(`     killed: ${kill.victim}, while nothing ran`);
    killed += 1;
  }
  return killed;
}

async function untilSettled(stage: Stage, well: boolean): Promise<Seen> {
  // A process that outlives a killed command finishes its work.
  await untilQuiet(stage);
  const until = Date.now() + (well ? SETTLES_MS / 3 : 1_000);
  for (;;) {
    const seen = await lookAtAll(stage);
    if (seen.wrong.length === 0 || Date.now() > until) return seen;
    await sleep(500);
  }
}

async function untilQuiet(stage: Stage): Promise<void> {
  const until = Date.now() + SETTLES_MS;
  while (workersOf(stage.stack.home).length > 0 && Date.now() < until) await sleep(200);
}

async function untilNone(look: () => Promise<string[]>): Promise<string[]> {
  const until = Date.now() + SETTLES_MS / 3;
  for (;;) {
    const found = await look();
    if (found.length === 0 || Date.now() > until) return found;
    await sleep(500);
  }
}

function nextCommand(ran: Ran, command: Advised, { status, wrong }: Seen, again: boolean): Advised {
  // A killed command advises nothing: run it again, or use status.
  if (ran.code === null && again) return command;
  const advised = ran.code === null ? [] : advisedIn(messageOf(ran));
  // A command that failed without a kill fails again: use the other advised command, if there is one.
  const other = ran.killed.length > 0 ? undefined : advised.find((one) => show(one) !== show(command));
  return other ?? advised[0] ?? commandIn(status?.pending?.command ?? status?.up ?? "") ?? advisedIn(wrong.join("\n"))[0] ?? command;
}

/** The last line that a person reads. */
function messageOf({ json, said }: Ran): string {
  const told = json as { failure?: string | null; error?: { message?: string }; rolledBack?: { failure?: string | null } | null } | null;
  return [told?.rolledBack?.failure, told?.failure, told?.error?.message].find((text) => typeof text === "string") ?? said;
}

function endOf(ran: Ran): string {
  if (ran.overtime) return "did not end";
  if (ran.code === 0) return "done";
  const lines = messageOf(ran).trim().split("\n");
  const line = ran.json === null ? (lines.findLast((one) => one.includes("error:")) ?? lines.at(-1)) : lines[0];
  return ran.code === null ? "killed" : `ended with ${ran.code} (${(line ?? "").trim().slice(0, 160)})`;
}

/** The release that is pinned in the end is one that the action can have led to, and the one it was for where it ended well. */
function wrongGoal({ definition }: Stage, action: Action, before: string, now: string, done: boolean): string[] {
  const { from, to } = drillOf(definition);
  const wished =
    action.kind === "failing-deploy"
      ? before
      : action.kind === "rollback"
        ? definition.scopes[action.scope]?.pins.release === "to"
          ? to
          : before
        : from;
  // A rollback that does not suffice is followed by a wider one, where that is advised.
  const advised = action.kind === "rollback" ? [before, to] : [before];
  const allowed = done || action.kind === "failing-deploy" ? [wished] : [...new Set([wished, ...advised])];
  return allowed.includes(now) ? [] : [`the round should end with ${allowed.join(" or ")}, and ${now} is pinned`];
}

async function judge(stage: Stage, witness: WitnessRun, before: number, after: number): Promise<Judgement> {
  await stopWitness(witness);
  const epochs = Array.from({ length: Math.max(0, after - before) }, (_, index) => before + index + 1);
  const outside = await outsideOf(stage);
  const places = (await Promise.all(epochs.map((epoch) => outside.quarantines(epoch)))).flat().map(({ place }) => place);
  const live = Object.values(outside.live)[0]!;
  const exports = await exportsOf(stage, epochs);
  return outside.withDoors(places, () =>
    judgementOf(witness, { live: outside.addressOf(live), quarantines: places.map((place) => outside.addressOf(place)), exports }),
  );
}
