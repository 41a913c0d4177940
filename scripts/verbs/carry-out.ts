/** How a verb brings a stack to changed pins: preview, refusal if it is impossible, question, update. */
import { createInterface } from "node:readline";
import type { Intent } from "../../state/intent.ts";
import { changedPins } from "../../config/edit.ts";
import { NAMESPACE, UsageError, RefusedError } from "../../config/errors.ts";
import { rolloutOf } from "../../config/pins.ts";
import { configOf } from "../../config/stack-text.ts";
import { rollOut, unchanged, type RolloutOutcome } from "../pulumi/roll-out.ts";
import { goesOnWith, type Standing } from "../pulumi/standing.ts";
import { openStack, type OpenStack } from "../pulumi/stack.ts";
import { escaped, say } from "../pulumi/outcome.ts";
import { tellPreview } from "./preview.ts";
import { previewOf, type PreviewOutcome } from "../pulumi/preview.ts";

/** Shows what an update to these pins would do. @throws RefusedError if it would be refused, or if that is unknown */
export async function previewPins(before: OpenStack, text: string, exact = false): Promise<{ after: OpenStack; preview: PreviewOutcome }> {
  const after = await openStack(before, text);
  const preview = await previewOf(before, after, exact);
  // The refusal itself says why.
  tellPreview({ ...preview, refused: [] }, say);
  if (preview.unknown !== null) throw new RefusedError(`the database is unreachable, nothing was changed: ${preview.unknown}`);
  requireAllowed(preview);
  return { after, preview };
}

/** @throws RefusedError */
export function requireAllowed({ refused }: PreviewOutcome): void {
  if (refused.length > 0) throw new RefusedError(`refused, nothing was changed:\n${refused.join("\n")}`);
}

/** Asks on the terminal; without one, `--yes` is required. */
export async function confirm(yes: boolean | undefined, stack: string): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY) throw new UsageError("no terminal to ask on: run again with --yes; nothing was changed");
  const answer = await ask(`Do this to ${stack}? Type yes: `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new RefusedError("not confirmed; nothing was changed");
}

/** Asks on standard error; standard output belongs to the verb. Ctrl-C and Ctrl-D are an empty answer. */
export function ask(text: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise<string>((resolve) => {
    const unanswered = (): void => {
      process.stderr.write("\n");
      resolve("");
    };
    lines.once("SIGINT", () => lines.close());
    lines.once("close", unanswered);
    lines.question(text, (answer) => {
      lines.off("close", unanswered);
      resolve(answer);
    });
  }).finally(() => lines.close());
}

export interface CarriedOut {
  before: OpenStack;
  /** The stack as it should be. */
  after: OpenStack;
  preview: PreviewOutcome;
  standing: Standing;
  runId: string;
  reason: string | null;
  /** Do not ask. */
  yes: boolean | undefined;
  /** The request, for the next command after an interruption. */
  asked: Asked;
}

export interface Asked extends Pick<Intent, "verb" | "goal" | "failed"> {
  /** The words after `backout`, without `--stack`. */
  words: string;
}

/** Asks, then updates the stack. @throws RefusedError if the update was refused before it changed anything */
export async function carryOut({ before, after, preview, standing, runId, reason, yes, asked }: CarriedOut): Promise<RolloutOutcome> {
  const done = standing.pending === null && preview.settled && preview.drifted.length === 0;
  // The word for what is open already is no reason to write.
  const keys = changedPins(before.text, after.text).map(({ path: [key] }) => key);
  if (done && (before.text === after.text || (keys.length > 0 && keys.every((key) => key === "scope")))) return unchanged(before, runId);
  // A resumed rollout keeps its recorded words.
  const intent = goesOnWith(standing, after) ? {} : { intent: intentOf(before, after, asked, { runId, reason, standing }) };
  await confirm(yes, before.stack);
  const outcome = await rollOut(before, after.text, { runId, reason, ...intent });
  if (outcome.refused) throw new RefusedError(`refused, nothing was changed:\n${outcome.failure ?? ""}`);
  return outcome.unchanged ? { ...outcome, corrected: preview.drifted.length > 0 } : outcome;
}

/** Keys that a verb may set and that no rollout records. */
export const BESIDE_PINS = ["freeze", "blocked", "newWrites", "violations", "scope"];

/** A rollout given up for this one never opened: the values before it count as the previous ones. */
export function intentOf(
  before: OpenStack,
  after: OpenStack,
  { words, ...asked }: Asked,
  { runId, reason, standing }: { runId: string; reason: string | null; standing: Pick<Standing, "pending"> },
): Omit<Intent, "after"> {
  const [said, says] = [configOf(before.text), configOf(after.text)];
  const givenUp = standing.pending?.intent;
  const changed = changedPins(before.text, after.text).map(({ path: [key] }) => key);
  const keys = [...new Set([...changed, ...(givenUp?.edits ?? []).map(({ path: [key] }) => key)])];
  const as = (config: Record<string, unknown>, key: string): unknown => config[`${NAMESPACE}:${key}`];
  return {
    ...asked,
    command: `${words} --stack ${before.stack}`,
    runId,
    reason,
    rollout: rolloutOf(after.pins),
    edits: keys.map((key) => ({ path: [key], value: as(says, key) })),
    before: { ...Object.fromEntries([...BESIDE_PINS, ...changed].map((key) => [key, as(said, key) ?? null])), ...givenUp?.before },
    was: givenUp?.was ?? rolloutOf(before.pins),
  };
}

/** Incident and reason as recorded: one printable line, or null. */
export function reasonOf({ incident, reason }: { incident?: string; reason?: string }): string | null {
  return escaped([incident, reason].filter((text) => text !== undefined).join(": ")) || null;
}
