/** `backout deploy`: ledger entry, snapshot in the fence, armed copy, baseline; pinned back by itself when the update or its verification fails. */
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { newRunId } from "../../crossing/run-id.ts";
import { openControl } from "../../control/open.ts";
import { untilArmed } from "../../crossing/await-arming.ts";
import { editPins, type PinEdit } from "../../declared/edit.ts";
import { deployEdits, scopeEdits } from "../../declared/scope.ts";
import type { SystemDefinition } from "../../systems/definition.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { listLines, settled, type ListedItem } from "../../deployment/list.ts";
import { carryOut, lookAhead } from "./carry-out.ts";
import { listBefore, tagEdits } from "./deploy-list.ts";
import { cross, type CrossingOutcome } from "../cross.ts";
import { startStoppedServer } from "../embedded-server.ts";
import { withStackLock } from "../stack-lock.ts";
import { openStack, programFolder, stackFile, type OpenStack, type StackFile } from "../stack.ts";
import { finish, say, type CommonOptions } from "./outcome.ts";
import { timelineLines } from "./timeline.ts";
import { nextLine, watchAfter, type NextWatch } from "./watch.ts";

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
}

export interface DeployOutcome extends CrossingOutcome {
  /** The way back that was taken by itself; null where none was needed or wanted. */
  rolledBack: CrossingOutcome | null;
  armed: boolean;
  /** What the system asks for before a deployment, and what became of it; empty where it asks for nothing, or there was nothing to leave. */
  before: ListedItem[];
  /** What is to be watched next; null: nothing. */
  nextWatch: NextWatch | null;
}

export async function deploy(release: string, options: Options): Promise<DeployOutcome> {
  const found = stackFile(options.stack);
  const before = await openStack(found);
  const runId = newRunId("deploy");
  return withStackLock(before.site, `deploy ${release}`, runId, async () => {
    await startStoppedServer(before.site);
    const entered = options.from === undefined ? before.text : editPins(before.text, await ledgerEdits(before, release, options));
    const text = editPins(entered, [...tagEdits(before, options.tag), ...deployEdits(before.definition, release)]);
    const { after, preview } = await lookAhead(before, text);
    for (const [flag, enabled] of Object.entries(after.declared.flags))
      say(`! flag ${flag} stays ${enabled ? "on" : "off"}, as pinned under backout:flags`);
    const list = await listBefore({ stack: before, after, from: preview.preview?.from ?? null, release, runId, options });
    const outcome = await carryOut({ before, text, runId, reason: options.reason ?? null, yes: options.yes });
    if (outcome.ok) {
      const armed = options.wait === false ? false : await untilReady(after);
      const verified = armed
        ? Object.entries(await snapshotsOf(after, outcome.epoch)).map(([database, name]) => `${name} of ${database}`)
        : [];
      return { ...outcome, rolledBack: null, armed, before: settled(list, verified), nextWatch: await watchAfter(after) };
    }
    const stopped = { ...outcome, armed: false, before: list };
    if (options.onFailure === "stop" || outcome.from === null) return { ...stopped, rolledBack: null, nextWatch: null };
    say(`${release} failed (${outcome.failure?.split("\n")[0] ?? ""}); going back to ${outcome.from}`);
    const rolledBack = await goBack(found, { ...before, text: entered }, release, outcome, runId);
    return { ...stopped, rolledBack, nextWatch: rolledBack.ok ? await watchAfter(before) : null };
  });
}

/**
 * What goes back besides the pins of before: the data, to the snapshot the failed deployment took; or, where its migrations failed half-way and
 * the system says so, the schema alone, by the scope for that. Pure.
 */
export function wayBackEdits(
  definition: SystemDefinition,
  release: string,
  failed: Pick<CrossingOutcome, "failure" | "phases" | "from">,
  taken: Record<string, string>,
  runId: string,
): PinEdit[] {
  const blocked: PinEdit = { path: ["blocked", release], value: `${runId}: ${failed.failure?.split("\n")[0] ?? "failed"}` };
  // A deployment does nothing else to the data than to migrate it.
  const halfMigrated = failed.phases.some(({ name, status }) => name === "data" && status === "failed");
  const scope = definition.partialMigrationScope;
  if (halfMigrated && scope !== undefined && failed.from !== null)
    return [...scopeEdits(definition, { scope, to: failed.from, snapshots: taken, block: null }), blocked];
  const names = Object.values(taken);
  return names.length === 0 ? [blocked] : [blocked, { path: ["data"], value: names.length === 1 ? names[0] : taken }];
}

/** The pins of before, the data of the snapshot the failed deployment took, and the release blocked; the ledger keeps what was entered. */
async function goBack(
  found: StackFile,
  before: OpenStack,
  release: string,
  failed: CrossingOutcome,
  runId: string,
): Promise<CrossingOutcome> {
  const text = editPins(before.text, wayBackEdits(before.definition, release, failed, await snapshotsOf(before, failed.epoch), runId));
  const now = await openStack({ ...found, text: before.text });
  return cross(now, text, `${runId}-back`, `${release} failed`);
}

async function snapshotsOf(stack: OpenStack, epoch: number | null): Promise<Record<string, string>> {
  const control = await openControl(stack.site, stack.definition).catch(() => null);
  if (control === null) return {};
  try {
    const snapshots = (await control.readySnapshots()).filter(
      (snapshot) => snapshot.epoch === epoch && snapshot.name.startsWith("before-"),
    );
    return Object.fromEntries(snapshots.map(({ database, name, generation }) => [database, `${name}@${generation}`]));
  } finally {
    await control.end();
  }
}

/** Hashes the folders `<from>/<component>` into the ledger. */
async function ledgerEdits(stack: OpenStack, release: string, { from, schema }: Options): Promise<PinEdit[]> {
  const root = programFolder(stack.project);
  const edits: PinEdit[] = [];
  for (const component of Object.keys(stack.definition.components)) {
    const folder = join(from!, component);
    edits.push({
      path: ["releases", release, "components", component],
      value: { path: relative(root, resolve(folder)), sha256: await hashFolder(folder) },
    });
  }
  for (const [database, { migrations }] of Object.entries(stack.definition.databases))
    edits.push({ path: ["releases", release, "schema", database], value: schema ?? migrations.at(-1)?.name });
  return edits;
}

/** Deploying is done when the way back is ready. */
async function untilReady(stack: OpenStack): Promise<boolean> {
  const control = stack.declared.arm === "never" ? null : await openControl(stack.site, stack.definition);
  if (control === null) return false;
  return untilArmed(control, stack.site, stack.declared.arm, say).finally(() => control.end());
}

export function addDeploy(program: Command): void {
  program
    .command("deploy <release>")
    .description("deploy a release of the ledger (or, with --from, enter it first); pins back by itself when it fails")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--from <folder>", "folder with one folder per component: hashed into the ledger as this release")
    .option("--schema <migration>", "with --from: newest migration the release needs; the system's newest unless given")
    .option("--on-failure <what>", "rollback or stop", "rollback")
    .option("--tag <name>", "name under which version control knows the release that is left: recorded in the ledger")
    .option("--trial", "rehearse a rollback first")
    .option("--skip <item...>", "leave out what the system asks for before a deployment; needs --reason")
    .option("--reports <folder>", "folder of the drills' reports (default: reports/ of the project)")
    .option("--no-wait", "do not wait until the snapshot is armed")
    .option("--reason <text>", "reason, for the record")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (release: string, options: Options) =>
      finish(
        options.json,
        () => deploy(release, options),
        (outcome) => {
          process.stdout.write(`${[...listLines(outcome.before), ...timelineLines(outcome)].join("\n")}\n`);
          if (outcome.rolledBack !== null) process.stdout.write(`went back:\n${timelineLines(outcome.rolledBack).join("\n")}\n`);
          if (outcome.nextWatch !== null) process.stdout.write(`${nextLine(outcome.nextWatch)}\n`);
        },
        ({ ok }) => ok,
      ),
    );
}
