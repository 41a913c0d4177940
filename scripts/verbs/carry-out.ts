/** How a verb brings a stack to changed pins: told what would happen, refused where it cannot be, asked, carried out. */
import { createInterface } from "node:readline";
import { cross, type CrossingOutcome } from "../cross.ts";
import { openStack, type OpenStack } from "../stack.ts";
import { say, UsageError, VerbRefusedError } from "./outcome.ts";
import { previewOf, tellPreview, type PreviewOutcome } from "./preview.ts";

/** What an update to these pins would do, told. @throws VerbRefusedError where it would be refused, or nobody can know */
export async function lookAhead(before: OpenStack, text: string, exact = false): Promise<{ after: OpenStack; preview: PreviewOutcome }> {
  const after = await openStack(before, text);
  const preview = await previewOf(before, after, exact);
  tellPreview(preview, say);
  if (preview.unknown !== null) throw new VerbRefusedError(`the database cannot be reached, nothing was changed: ${preview.unknown}`);
  requireAllowed(preview);
  return { after, preview };
}

/** @throws VerbRefusedError */
export function requireAllowed({ refused }: PreviewOutcome): void {
  if (refused.length > 0) throw new VerbRefusedError(`refused, nothing was changed:\n${refused.join("\n")}`);
}

/** Without a terminal nobody can be asked: `--yes` must say so. */
export async function confirm(yes: boolean | undefined, stack: string): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY) throw new UsageError("there is no terminal to ask on: repeat with --yes; nothing was changed");
  const answer = await ask(`Do this to ${stack}? Type yes: `);
  if (answer.trim() !== "yes") throw new VerbRefusedError("not confirmed; nothing was changed");
}

/** On standard error, so that standard output stays the verb's. Ctrl-C and Ctrl-D are an answer, too: nothing. */
function ask(text: string): Promise<string> {
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
  /** The stack file as it is to be. */
  text: string;
  runId: string;
  reason: string | null;
  /** Whether asking is left out. */
  yes: boolean | undefined;
}

/** Asks, then brings the stack there. @throws VerbRefusedError where the update was refused before it changed anything */
export async function carryOut({ before, text, runId, reason, yes }: CarriedOut): Promise<CrossingOutcome> {
  await confirm(yes, before.stack);
  const outcome = await cross(before, text, runId, reason);
  if (outcome.refused) throw new VerbRefusedError(`refused, nothing was changed:\n${outcome.failure ?? ""}`);
  return outcome;
}

/** Incident and reason as the record has them: one line, or null. */
export function reasonOf({ incident, reason }: { incident?: string; reason?: string }): string | null {
  return [incident, reason].filter((text) => text !== undefined).join(": ") || null;
}
