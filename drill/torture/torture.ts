/**
 * Torture: rounds of deployments, rollbacks and undos on a stack of its own, with SIGKILL for random processes, while a witness writes.
 * After each round the commands that the product advises must lead to the declared state, with nothing lost and nobody locked out.
 */
import { join } from "node:path";
import type { Engine } from "../../scripts/pulumi/environment.ts";
import type { OpenStack } from "../../scripts/pulumi/stack.ts";
import { openData } from "../../databases/open-data.ts";
import { beginRecord, updateRecord } from "../record.ts";
import { removeDrill } from "../remove.ts";
import { requestOf } from "../request.ts";
import { newDrillId } from "../run.ts";
import { setStage, type Stage } from "../stage.ts";
import { hasVerb, runVerb } from "../verbs.ts";
import { choose } from "./choices.ts";
import { logOf } from "./command.ts";
import { diceOf } from "../dice.ts";
import { lookAtAll } from "./inspect.ts";
import { missingAtTheEnd } from "./memory.ts";
import { letOutsidersIn } from "./outsiders.ts";
import { runRound, type Round } from "./round.ts";
import { drillOf } from "../../config/system/drill.ts";

export interface TortureWish {
  source: OpenStack;
  rounds: number;
  seed: string;
  /** Leave the stack standing in any case. */
  keep: boolean;
  /** No round starts after this time. Milliseconds. */
  limitMs: number;
}

/** Result of a run. It passed if every round converged, nothing is lost and nobody was locked out. */
export interface TortureResult {
  rounds: number;
  kills: number;
  /** Rounds that ended as declared. */
  converged: number;
  /** Writes that were acknowledged. */
  acknowledged: number;
  lost: number;
  lockedOut: number;
}

export interface Tortured extends TortureResult {
  /** Folder of the kept stack; null: removed. */
  kept: string | null;
}

const SEED_ROWS = 300;

export function isWell({ rounds, converged, lost, lockedOut }: TortureResult): boolean {
  return converged === rounds && lost === 0 && lockedOut === 0;
}

function repeatCommand({ source, seed }: TortureWish, rounds: number): string {
  return `npm run torture -- --system ${source.definition.name} --rounds ${rounds} --seed ${seed}`;
}

/**
 * Ends with the first round that is not well, and leaves the stack as that round left it.
 * @param folderKnown receives the folder in which everything is created
 * @throws the reason of `stopping`
 */
export async function torture(
  wish: TortureWish,
  engine: Engine,
  say: (line: string) => void,
  folderKnown: (folder: string) => void,
  stopping: AbortSignal,
): Promise<Tortured> {
  const { source, rounds, seed, keep, limitMs } = wish;
  const { definition, project } = source;
  const runId = newDrillId().replace("drill", "torture");
  const stack = `torture-${runId.slice(-4)}`;
  const folder = beginRecord(project, { runId, system: definition.name, stack });
  folderKnown(folder);
  const result: TortureResult = { rounds: 0, kills: 0, converged: 0, acknowledged: 0, lost: 0, lockedOut: 0 };
  const restoring = Object.entries(definition.scopes).find(([, { pins }]) => pins.data === "snapshot")?.[0];
  const request = requestOf(source, restoring === undefined ? {} : { scope: restoring }, join(project, "reports"));
  const stage = await setStage(request, folder, stack, engine);
  say(`torture of ${definition.name}, seed ${seed}, ${rounds} rounds, in ${folder}`);
  const journals: string[] = [];
  try {
    await prepare(stage);
    const undoVerb = await hasVerb("undo");
    let undoable = false;
    let epoch = 0;
    const until = Date.now() + limitMs;
    for (let number = 1; number <= rounds && Date.now() < until; number++) {
      stopping.throwIfAborted();
      updateRecord(folder, { phase: `round ${number}` });
      const dice = diceOf(`${seed}/${number}`);
      const before = await lookAtAll(stage);
      const choices = choose(dice, definition, {
        forward: before.release === drillOf(definition).from,
        open: before.open,
        undoable,
        undoVerb,
      });
      say(`round ${number} of ${rounds}`);
      const round = await runRound(stage, number, choices, { before, dice, say, stopping });
      add(result, round);
      journals.push(round.journalFile);
      ({ epoch } = round);
      undoable =
        choices.action.kind === "rollback" &&
        definition.scopes[choices.action.scope]?.pins.data === "snapshot" &&
        round.release === drillOf(definition).to;
      tell(round, say);
      if (!isWell(result)) break;
    }
    if (isWell(result)) {
      const missing = await missingAtTheEnd(stage, journals, epoch);
      for (const id of missing.slice(0, 20)) say(`  ${id} was acknowledged, and is lost at the end`);
      result.lost += missing.length;
    }
  } catch (error) {
    stopping.throwIfAborted();
    say(`torture cannot continue: ${(error as Error).stack ?? String(error)}`);
    result.rounds = Math.max(result.rounds, result.converged + 1);
  }
  const well = isWell(result) && result.rounds > 0;
  if (well && !keep) {
    await removeDrill(folder);
    return { ...result, kept: null };
  }
  updateRecord(folder, { kept: true, phase: "kept" });
  if (!well) say(`seed ${seed}, round ${result.rounds} failed; to repeat: ${repeatCommand(wish, result.rounds)}`);
  say(`kept in ${folder} (every command's output in ${logOf(stage)}); \`npm run drill -- --clean\` removes it`);
  return { ...result, kept: folder };
}

/** The older release with data, and clients of others. */
async function prepare(stage: Stage): Promise<void> {
  const { definition } = stage;
  const { failure } = await runVerb(stage.stack, "deploy", [drillOf(definition).to, "--yes", "--reason", "torture"]);
  if (failure !== null) throw new Error(failure);
  const data = openData(stage.site);
  await drillOf(definition)
    .seed(data, SEED_ROWS)
    .finally(() => data.end());
  await letOutsidersIn(stage);
}

function add(result: TortureResult, { kills, wrong, acknowledged, lost, lockedOut }: Round): void {
  result.rounds += 1;
  result.kills += kills;
  result.converged += wrong.length === 0 ? 1 : 0;
  result.acknowledged += acknowledged;
  result.lost += lost.length;
  result.lockedOut += lockedOut.length;
}

function tell({ wrong, acknowledged, lost, lockedOut, release }: Round, say: (line: string) => void): void {
  for (const line of wrong) say(`  NOT AS DECLARED: ${line}`);
  for (const line of lost.slice(0, 20)) say(`  LOST: ${line}`);
  for (const line of lockedOut) say(`  LOCKED OUT: ${line}`);
  say(`  ${release}, ${acknowledged} writes acknowledged, ${lost.length} lost`);
}
