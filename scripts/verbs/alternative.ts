/**
 * Another way to finish a rollback that failed. Its pins are declared already and its snapshot is unchanged; what changes is where the
 * services run or, in the worst case, everything around the data.
 */
import { prepareAll, stopAllAt } from "../../workloads/index.ts";
import { inspect, unfinished } from "../../rollout/inspect.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { commandOf } from "../../config/commands.ts";
import { own } from "../../config/own.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { rollOut } from "../pulumi/roll-out.ts";
import { openStack, type OpenStack } from "../pulumi/stack.ts";
import { requireAllowed } from "./carry-out.ts";
import { freshEnvironment, type Alternative, type Taken } from "./fresh.ts";
import { say } from "../pulumi/outcome.ts";
import { tellPreview } from "./preview.ts";
import { previewOf } from "../pulumi/preview.ts";

/** Commands that finish a rollback that failed in another way, in the order of declaration. Pure. */
export function otherWays({ config, stack, project }: Pick<OpenStack, "config" | "stack" | "project">, tried?: string): string[] {
  const left = Object.entries(config.alternatives).slice(Object.keys(config.alternatives).indexOf(tried ?? "") + 1);
  return left.map(
    ([name, { title }]) =>
      `${commandOf(project, "backout", `rollback --stack ${stack} --alternative ${name}`)}${title === undefined ? "" : `  (${title})`}`,
  );
}

/** The lines that differ in the stack file. Pure. */
export function alternativeEdits({ target, ports }: Alternative): PinEdit[] {
  return [
    ...(target === undefined ? [] : [{ path: ["target"], value: target } satisfies PinEdit]),
    ...Object.entries(ports).map(([name, value]): PinEdit => ({ path: ["ports", name], value })),
  ];
}

/** @throws UsageError for a name that is not declared, RefusedError if no rollout has failed */
export async function takeAlternative(
  before: OpenStack,
  name: string,
  runId: string,
  reason: string | null,
  confirm: () => Promise<void>,
): Promise<Taken> {
  const known = Object.keys(before.config.alternatives);
  const alternative = own(before.config.alternatives, name);
  if (alternative === undefined)
    throw new UsageError(
      known.length === 0
        ? "this stack declares no backout:alternatives"
        : `--alternative "${name}" is not one of ${known.join(", ")}${suggestion(name, known)}`,
    );
  const facts = await inspect(before.site, before.definition);
  if (facts.reach.kind === "reached" && !unfinished(facts.last))
    throw new RefusedError("the last rollout has opened: there is no failed rollback to finish; nothing was changed");
  if (facts.last?.failure != null) say(`failed before: ${facts.last.failure}`);
  say(`alternative ${name}${alternative.title === undefined ? "" : `: ${alternative.title}`}`);
  if (alternative.fresh !== undefined) return freshEnvironment(before, name, alternative, facts, runId, reason, confirm);
  const text = editPins(before.text, alternativeEdits(alternative));
  const after = await openStack(before, text);
  const preview = await previewOf(before, after, false);
  tellPreview(preview, say);
  requireAllowed(preview);
  await confirm();
  // Images are fetched and releases built before anything stops.
  await prepareAll(after.site, after.definition, after.pins, say).catch((error: Error) => {
    throw new RefusedError(`refused, nothing was changed:\n${error.message}`);
  });
  // Services that the failed attempt started would run twice.
  for (const { service, reason } of await stopAllAt(before.site, before.definition))
    say(`${service} may still run on ${before.site.target}: stopping it failed: ${reason}`);
  const outcome = await rollOut(before, text, { runId, reason });
  return { outcome, preview, stack: after };
}
