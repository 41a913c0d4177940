/**
 * `backout deploy`: ledger entry, snapshot in the fence, standby copy, baseline; rolls back automatically when the update or its
 * verification fails.
 */
import { stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { newRunId } from "../../config/run-id.ts";
import type { Intent } from "../../state/intent.ts";
import { openState } from "../../databases/open-state.ts";
import { untilStandby } from "../../rollout/await-standby.ts";
import { changedPins, editPins, type PinEdit } from "../../config/edit.ts";
import { rolloutOf } from "../../config/pins.ts";
import { commandOf, quoted } from "../../config/commands.ts";
import { orderOf } from "../../rollout/inspect.ts";
import { newestRelease, standsAfter } from "../../config/ledger.ts";
import { programFolder } from "../../config/program.ts";
import { deployEdits } from "../../config/scope.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { listLines, settled } from "../../rollout/preflight/list.ts";
import { carryOut, intentOf, previewPins, reasonOf } from "./carry-out.ts";
import { listBefore, tagEdits } from "./preflight.ts";
import { rollOut, type RolloutOutcome } from "../pulumi/roll-out.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { askedBefore, requireReach, requireSettled, standingOf, textOf, type Standing } from "../pulumi/standing.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { UsageError, RefusedError } from "../../config/errors.ts";
import { timelineLines } from "./timeline.ts";
import { nextLine, watchAfter } from "./watch.ts";
import { sayUnknown, wayBackEdits } from "../pulumi/way-back.ts";
import type { DeployOutcome } from "../pulumi/answers.ts";

interface Options extends CommonOptions {
  from?: string;
  schema?: string;
  onFailure?: "rollback" | "stop";
  reason?: string;
  yes?: boolean;
  wait?: boolean;
  skip?: string[];
  tag?: string;
  trial?: boolean;
  reports?: string;
  anew?: boolean;
}

async function deploy(given: string | undefined, options: Options): Promise<DeployOutcome> {
  const before = await openStack(stackFile(options.stack));
  if (given === undefined && options.from !== undefined)
    throw new UsageError("--from enters a release: name it, `deploy <release> --from …`");
  await requireFolders(before, options.from);
  const runId = newRunId("deploy");
  return withStackLock(before.site, `deploy ${given ?? "the newest release"}`, runId, async () => {
    await startStoppedServer(before.site);
    const standing = await standingOf(before);
    requireReach(standing);
    const release = given ?? releaseToDeploy(before, standing);
    const begun = options.anew === true ? null : askedBefore(standing, "deploy", release);
    if (begun?.failed !== undefined) {
      if (standing.pending !== null) return goOnBack(before, standing, begun, release, options, runId);
    } else requireSettled(standing, options.anew, (other) => other.forward);
    return goForward(before, standing, release, options, runId);
  });
}

/** The newest release of the ledger, unless it is blocked; an unfinished deployment is resumed first. Says which one and why. */
function releaseToDeploy({ config, asked }: OpenStack, { lastOpen, opened, pending }: Standing): string {
  if (pending?.intent?.verb === "deploy") {
    say(`deploying ${pending.intent.goal}: ${pending.title}`);
    return pending.intent.goal;
  }
  const running = lastOpen?.pins.release ?? null;
  const { release, why } = newestRelease({
    order: orderOf({ opened }, asked),
    ledger: Object.keys(config.releases),
    blocked: config.blocked,
    running,
  });
  say(`deploying ${release}: ${why}`);
  return release;
}

async function goForward(before: OpenStack, standing: Standing, release: string, options: Options, runId: string): Promise<DeployOutcome> {
  const entered = options.from === undefined ? before.text : editPins(before.text, await ledgerEdits(before, release, options));
  const deployed = editPins(entered, deployEdits(before.definition, release));
  const resumed = standing.pending?.rollout?.rollout === rolloutOf((await openStack(before, deployed)).pins);
  // A resumed deployment passed the preflight before, and has its tag.
  const text = resumed ? deployed : editPins(deployed, tagEdits(before, options.tag));
  refuseBackwards(await openStack(before, text), release, standing);
  const { after, preview } = await previewPins(before, text);
  for (const [flag, enabled] of Object.entries(after.config.flags))
    say(`! flag ${flag} stays ${enabled ? "on" : "off"}, as pinned under backout:flags`);
  const from = resumed || preview.settled ? null : (preview.preview?.from ?? null);
  const list = await listBefore({ stack: before, after, from, release, runId, options });
  const asked = { verb: "deploy" as const, goal: release, words: `deploy ${quoted(release)}` };
  const outcome = await carryOut({ before, after, preview, standing, runId, reason: reasonOf(options), yes: options.yes, asked });
  if (outcome.ok) {
    const standby = options.wait === false ? false : await untilReady(after);
    const verified = standby
      ? Object.entries(await snapshotsOf(after, outcome.epoch)).map(([database, name]) => `${name} of ${database}`)
      : [];
    return { ...outcome, rolledBack: null, standby, before: settled(list, verified), nextWatch: await watchAfter(after) };
  }
  const stopped = { ...outcome, standby: false, before: list };
  // What has opened has passed verification, and users write to it: no rollback.
  if (options.onFailure === "stop" || outcome.from === null || outcome.state === "open")
    return { ...stopped, rolledBack: null, nextWatch: null };
  const rolledBack = await goBack({ ...before, text: entered }, text, release, outcome, runId);
  const failure = rolledBack.ok ? outcome.reason : outcome.failure;
  return { ...stopped, failure, rolledBack, nextWatch: rolledBack.ok ? await watchAfter(before) : null };
}

/** `deploy` goes forward only: a rollback keeps more, and is another verb. @throws RefusedError */
function refuseBackwards({ project, stack, asked }: OpenStack, release: string, standing: Standing): void {
  const running = standing.lastOpen?.pins.release;
  if (running === undefined || !standsAfter(orderOf(standing, asked), running, release)) return;
  throw new RefusedError(
    `${release} is older than ${running}, which runs, in the ledger backout:releases: to roll back, run \`${commandOf(project, "backout", `rollback --stack ${stack} --to ${release}`)}\`; nothing was changed`,
  );
}

/**
 * Rolls back to the pins that opened last according to the state, whatever the stack file said before; the release is blocked, and its
 * ledger entry stays. Changes that somebody made to the stack file meanwhile stay.
 */
async function goBack(
  before: OpenStack,
  deployed: string,
  release: string,
  failed: RolloutOutcome,
  runId: string,
): Promise<RolloutOutcome> {
  const found = stackFile(before.stack, before.project);
  const now = await openStack(found);
  const standing = await standingOf(now);
  const { lastOpen, snapshots } = standing;
  if (lastOpen === null) return failed;
  const reason = failed.failure?.split("\n")[0] ?? "failed";
  say(`${release} failed (${reason}); rolling back to ${lastOpen.pins.release}, which opened last`);
  const block = { release, incident: `${runId}: ${reason}` };
  // A deployment only migrates the data.
  const halfMigrated = failed.phases.some(({ name, status }) => name === "data" && status === "failed");
  // If nobody edited the file since, and it was what had opened, it is restored as it was, with its comments.
  const untouched = rolloutOf(before.pins) === lastOpen.rollout && changedPins(found.text, deployed).length === 0;
  const base = untouched ? await openStack(found, before.text) : now;
  const { config, pins } = base;
  const way = { definition: now.definition, config, pins, goal: lastOpen, snapshots, block, halfMigrated, unknown: sayUnknown };
  const after = await openStack(found, editPins(base.text, wayBackEdits(way)));
  const asked = { verb: "deploy" as const, goal: release, words: `deploy ${quoted(release)}`, failed: reason };
  const own = { runId: `${runId}-back`, reason: `${release} failed` };
  return rollOut(now, after.text, { ...own, intent: intentOf(now, after, asked, { ...own, standing }) });
}

/** Resumes the rollback of a failed deployment that was interrupted. */
async function goOnBack(
  before: OpenStack,
  standing: Standing,
  begun: Intent,
  release: string,
  options: Options,
  runId: string,
): Promise<DeployOutcome> {
  say(`${release} failed (${begun.failed ?? ""}): its rollback is resumed`);
  const { after, preview } = await previewPins(before, textOf(before, begun));
  const asked = {
    verb: begun.verb,
    goal: begun.goal,
    words: `deploy ${quoted(release)}`,
    ...(begun.failed === undefined ? {} : { failed: begun.failed }),
  };
  const rolledBack = await carryOut({ before, after, preview, standing, runId, reason: begun.reason, yes: options.yes, asked });
  const failure = `${release} failed: ${begun.failed ?? ""}`;
  const stopped = { ...rolledBack, ok: false, unchanged: false, failure, rolledBack, standby: false, before: [] };
  return { ...stopped, nextWatch: rolledBack.ok ? await watchAfter(after) : null };
}

async function snapshotsOf(stack: OpenStack, epoch: number | null): Promise<Record<string, string>> {
  const state = await openState(stack.site, stack.definition).catch(() => null);
  if (state === null) return {};
  try {
    const snapshots = (await state.readySnapshots()).filter((snapshot) => snapshot.epoch === epoch && snapshot.name.startsWith("before-"));
    return Object.fromEntries(snapshots.map(({ database, name, generation }) => [database, `${name}@${generation}`]));
  } finally {
    await state.end();
  }
}

/** @throws UsageError naming what is missing */
async function requireFolders({ definition }: OpenStack, from: string | undefined): Promise<void> {
  if (from === undefined) return;
  const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() === true;
  if (!(await isFolder(from))) throw new UsageError(`--from ${from}: folder not found; nothing was changed`);
  for (const service of Object.keys(definition.services))
    if (!(await isFolder(join(from, service))))
      throw new UsageError(`--from ${from}: folder "${service}" not found, and each service needs one; nothing was changed`);
}

/** Hashes the folders `<from>/<service>` into the ledger. */
async function ledgerEdits(stack: OpenStack, release: string, { from, schema }: Options): Promise<PinEdit[]> {
  const root = programFolder(stack.project);
  const edits: PinEdit[] = [];
  for (const service of Object.keys(stack.definition.services)) {
    const folder = join(from!, service);
    edits.push({
      path: ["releases", release, "services", service],
      value: { path: relative(root, resolve(folder)), sha256: await hashFolder(folder) },
    });
  }
  for (const [database, { migrations }] of Object.entries(stack.definition.databases))
    edits.push({ path: ["releases", release, "schema", database], value: schema ?? migrations.at(-1)?.name });
  return edits;
}

/** A deployment is done when its snapshot has a standby copy. */
async function untilReady(stack: OpenStack): Promise<boolean> {
  const state = stack.config.standby === "never" ? null : await openState(stack.site, stack.definition);
  if (state === null) return false;
  return untilStandby(state, stack.site, stack.config.standby, say).finally(() => state.end());
}

export function addDeploy(program: Command): void {
  program
    .command("deploy [release]")
    .description(
      "deploy a release of the ledger, unless named the newest one that is not blocked (or, with --from, enter it first); rolls back automatically when it fails",
    )
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--from <folder>", "folder with one subfolder per service, entered into the ledger by hash")
    .option("--schema <migration>", "with --from: newest migration the release needs; the system's newest unless given")
    .option("--on-failure <what>", "rollback or stop", "rollback")
    .option("--tag <name>", "version control tag of the current release, recorded in the ledger")
    .option("--anew", "give up an unfinished rollout")
    .option("--trial", "rehearse a rollback first")
    .option("--skip <item...>", "skip an item of the preflight; needs --reason")
    .option("--reports <folder>", "folder of the drills' reports (default: reports/ of the project)")
    .option("--no-wait", "do not wait until the snapshot has its standby copy")
    .option("--reason <text>", "reason, for the record")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (release: string | undefined, options: Options) =>
      finish(
        options.json,
        () => deploy(release, options),
        (outcome) => {
          print(`${[...listLines(outcome.before), ...timelineLines(outcome)].join("\n")}\n`);
          if (outcome.rolledBack !== null) print(`rolled back:\n${timelineLines(outcome.rolledBack).join("\n")}\n`);
          if (outcome.nextWatch !== null) print(`${nextLine(outcome.nextWatch)}\n`);
        },
        ({ ok }) => ok,
      ),
    );
}
