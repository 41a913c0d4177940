/** The pins that undo a rollback: those that were open before it according to the state, with the data that it set aside. */
import { commandOf } from "../../config/commands.ts";
import { isDeepStrictEqual } from "node:util";
import type { Intent } from "../../state/intent.ts";
import { openState } from "../../databases/open-state.ts";
import type { Rollout } from "../../config/record.ts";
import { editPins, editsBetween, type PinEdit } from "../../config/edit.ts";
import { NAMESPACE, RefusedError } from "../../config/errors.ts";
import type { DataPin } from "../../config/pins.ts";
import { recordedEdits } from "../../config/recorded-pins.ts";
import { configOf } from "../../config/stack-text.ts";
import type { Standing } from "../pulumi/standing.ts";
import { NotDeployedError } from "../pulumi/not-deployed.ts";
import { openStack, type OpenStack } from "../pulumi/stack.ts";
import { BESIDE_PINS } from "./carry-out.ts";

/** The stack file after an undo of the last rollback, finished or not. @throws RefusedError if there is none */
export async function undoText(stack: OpenStack, standing: Standing): Promise<string> {
  const { pending, lastOpen, intent } = standing;
  if (lastOpen === null) throw new NotDeployedError(stack);
  if (pending?.forward === true)
    throw new RefusedError(
      `${pending.title}: this is not a rollback. To roll it back, run \`${commandOf(stack.project, "backout", `rollback --stack ${stack.stack}`)}\`; nothing was changed`,
    );
  // Only the stack file was changed.
  if (pending !== null && pending.rollout === null) return textBefore(stack, lastOpen, lastOpen.pins.data, pending.intent);
  const back = pending?.rollout ?? lastOpen;
  const own = intent?.rollout === back.rollout ? intent : null;
  requireRollback(back, own);
  const before = await openedBefore(stack, back.epoch);
  if (before === null) throw new RefusedError(`nothing had opened before rollout ${back.epoch}: nothing to go back to`);
  const data = Object.fromEntries(
    Object.keys(stack.definition.databases).map((database) => [database, dataBefore(database, back, before, standing)]),
  );
  return textBefore(stack, before, data, own);
}

/**
 * Keys that the verb wrote get their former values, where these are known and nobody has changed the key since; pins get the values that
 * opened, whatever the stack file says.
 */
async function textBefore(stack: OpenStack, opened: Rollout, data: Record<string, DataPin>, own: Intent | null): Promise<string> {
  const base = await openStack(
    stack,
    editPins(stack.text, [
      ...(own === null ? [{ path: ["scope"], value: undefined } satisfies PinEdit] : keysBefore(stack, own, opened)),
      ...runningReleases(opened).map((release): PinEdit => ({ path: ["blocked", release], value: undefined })),
    ]),
  );
  const scope: PinEdit = { path: ["scope"], value: configOf(base.text)[`${NAMESPACE}:scope`] };
  return editPins(base.text, [...recordedEdits(base.config, { ...opened.pins, data }, base.pins), scope]);
}

function requireRollback({ epoch, plan, pins }: Rollout, intent: Intent | null): void {
  const { fromRelease, toRelease, forward, scope } = plan;
  const rollout = `rollout ${epoch}, ${fromRelease ?? "nothing"} → ${toRelease}`;
  if (intent?.failed !== undefined)
    throw new RefusedError(
      `the last rollout is the rollback of a failed deployment (${rollout}): the deployment never opened, so there is nothing to undo`,
    );
  const undoes = Object.values(pins.data).some(({ kind }) => kind === "quarantine");
  const isRollback =
    intent === null ? fromRelease !== null && (!forward || scope !== null || undoes) : ["rollback", "undo"].includes(intent.verb);
  if (!isRollback) throw new RefusedError(`the last rollout is not a rollback (${rollout}): there is nothing to undo`);
}

async function openedBefore({ site, definition }: OpenStack, epoch: number): Promise<Rollout | null> {
  const state = await openState(site, definition);
  if (state === null) return null;
  const rollouts = await state.rollouts(epoch + 1).finally(async () => state.end());
  return rollouts.find((rollout) => rollout.epoch < epoch && rollout.openedAt !== null) ?? null;
}

/** @throws RefusedError if it is not kept any more */
function dataBefore(database: string, back: Rollout, before: Rollout, { catalogue, snapshots }: Standing): DataPin {
  const plan = back.plan.databases[database];
  const replaced = plan?.action.kind === "restore" || plan?.action.kind === "undo";
  const inPlace = plan?.action.kind === "repair" || (plan?.backBy === "down" && plan.back.length > 0);
  // Several attempts may have set databases aside: the first one is what was open before.
  const aside = catalogue.find((entry) => entry.role === "quarantine" && entry.database === database && entry.epoch > before.epoch);
  if (aside !== undefined) return { kind: "quarantine", name: aside.name };
  const taken = snapshots.find((snapshot) => snapshot.database === database && snapshot.epoch === back.epoch);
  if (inPlace && taken !== undefined) return { kind: "snapshot", name: taken.name, generation: taken.generation, again: 0 };
  if ((inPlace || replaced) && back.state === "open")
    throw new RefusedError(
      `the quarantine of ${database} from before rollout ${back.epoch} is not kept any more, so it cannot be restored; nothing was changed`,
    );
  return before.pins.data[database] ?? { kind: "current" };
}

function runningReleases({ pins }: Rollout): string[] {
  return [...new Set([pins.release, ...Object.values(pins.services).map(({ release }) => release)])];
}

/** Reverts what the verb set; changes that somebody made since stay. Pins only if they are those that opened. */
function keysBefore({ text }: OpenStack, { before, edits, was }: Intent, { rollout }: Rollout): PinEdit[] {
  const now = configOf(text);
  return edits.flatMap(({ path: [key], value }) => {
    if (!(key in before) || (was !== rollout && !BESIDE_PINS.includes(key))) return [];
    const [is, wanted] = [now[`${NAMESPACE}:${key}`], before[key] ?? undefined];
    if (isDeepStrictEqual(is, value)) return editsBetween([key], is, wanted);
    if (key !== "blocked") return [];
    const earlier = Object.keys(wanted ?? {});
    const added = Object.keys(value ?? {}).filter((release) => !earlier.includes(release));
    return added.map((release): PinEdit => ({ path: ["blocked", release], value: undefined }));
  });
}
