/** Runs `pulumi up` on a stack. What is shown, and why it failed, comes from the engine's events and not from what it prints. */
import { BUILD_LINE } from "../../config/progress.ts";
import { STACK_NOT_FOUND } from "./engine.ts";
import { diagnosticIn, followEvents, type Diagnostic } from "./event-log.ts";
import { say } from "./outcome.ts";
import { ensureStack, runPulumi } from "./pulumi-run.ts";
import type { StackFile } from "./stack.ts";

export interface UpdateOutcome {
  /** Why it failed, in the words of its resources; null: it did not. */
  failure: string | null;
}

/** A stack that the backend does not know yet is made first. */
export async function runUpdate(stack: Pick<StackFile, "project" | "stack">, runId: string, reason: string | null): Promise<UpdateOutcome> {
  const ran = await run(stack, runId, reason);
  if (ran.code !== STACK_NOT_FOUND) return ran;
  await ensureStack(stack.project, stack.stack);
  return run(stack, runId, reason);
}

async function run(
  { project, stack }: Pick<StackFile, "project" | "stack">,
  runId: string,
  reason: string | null,
): Promise<UpdateOutcome & { code: number }> {
  const errors: Diagnostic[] = [];
  const events = followEvents((event) => {
    const said = diagnosticIn(event);
    if (said?.severity === "error") errors.push(said);
    else if (said !== null) showProgress(said);
  });
  const running = runPulumi({
    project,
    stack,
    arguments: ["up", "--yes", "--skip-preview", "--suppress-outputs", ...events.arguments],
    environment: { ...events.environment, BACKOUT_RUN_ID: runId, ...(reason === null ? {} : { BACKOUT_REASON: reason }) },
  });
  const missing = await running.then(
    () => events.end(),
    () => events.end(),
  );
  const ran = await running;
  if (missing !== null) say(`! ${missing}: not everything is shown`);
  return { code: ran.code, failure: ran.code === 0 ? null : failureOf(errors, missing === null ? ran.errorOutput : ran.output) };
}

/** Only what our own resources say: phases and warnings. What Plan says was shown before the update, and errors are shown at its end. */
function showProgress({ urn, severity, message }: Diagnostic): void {
  const { type } = resourceOf(urn);
  if (severity === "debug" || !type.startsWith("backout:index:")) return;
  if (type === "backout:index:Plan" && !message.startsWith(BUILD_LINE)) return;
  for (const line of message.split("\n")) if (line.trim() !== "") say(`  ${severity === "warning" ? "! " : ""}${line}`);
}

/**
 * Why an update failed: what was said of a resource. That it failed at all is said of none, and counts where nothing else was said; what
 * is refused before the engine begins is no event, but printed.
 */
export function failureOf(errors: readonly Diagnostic[], errorOutput: string): string {
  const ofResources = errors.filter(({ urn }) => urn !== null);
  const reasons = (ofResources.length > 0 ? ofResources : errors).map(reasonIn);
  const printed = withoutBlankLines(errorOutput.replaceAll(/^error: /gm, ""));
  return (
    [...new Set(reasons)].join("\n") ||
    printed ||
    "the engine ended without a message, as one that is killed does: run the same command again"
  );
}

/** The message without the engine's frame around it: the resource it is of, and a list of one. */
function reasonIn({ urn, message }: Diagnostic): string {
  const { type, name } = resourceOf(urn);
  const frame = [`${type} resource '${name}' has a problem: `, "1 error occurred:\n\t* "].find((text) => message.startsWith(text)) ?? "";
  return withoutBlankLines(message.slice(frame.length));
}

function withoutBlankLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").join("\n");
}

/** `urn:pulumi:<stack>::<project>::<parent$type>::<name>` */
function resourceOf(urn: string | null): { type: string; name: string } {
  const [, , types = "", name = ""] = urn?.split("::") ?? [];
  return { type: types.split("$").at(-1) ?? "", name };
}
