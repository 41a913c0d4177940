/**
 * `backout adopt`: takes over live databases and what runs on them without stopping anything; `--dry-run` only looks, `--undo` gives back what was
 * found.
 */
import { constants } from "node:os";
import type { Command } from "commander";
import { editPins } from "../../config/edit.ts";
import { RefusedError, UsageError } from "../../config/errors.ts";
import { newRunId } from "../../config/run-id.ts";
import { keepSalt } from "../../config/seal.ts";
import { makeSecrets } from "../../config/secrets.ts";
import { openState } from "../../databases/open-state.ts";
import { adoptStack, undoAdoption } from "../../rollout/adopt/run.ts";
import { baselineOf, lookAt, type AdoptionReport } from "../../rollout/adopt/look.ts";
import { adoptionRecord, wasGivenBack } from "../../state/adoption.ts";
import { prepareAll } from "../../workloads/index.ts";
import { endBuilds } from "../../workloads/release-copy.ts";
import { setupRefusals } from "../../workloads/setup.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { openStack, stackFile, writeStack, type OpenStack } from "../pulumi/stack.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { adoptionLines } from "./adopt-lines.ts";
import { confirm, reasonOf } from "./carry-out.ts";

interface Options extends CommonOptions {
  dryRun?: boolean;
  undo?: boolean;
  baseline?: string[];
  snapshot?: boolean;
  reason?: string;
  yes?: boolean;
}

export interface AdoptOutcome {
  stack: string;
  /** What became of the stack; `looked`: nothing was changed. */
  did: "looked" | "adopted" | "unchanged" | "given back";
  /** Null where there was nothing to look at. */
  report: AdoptionReport | null;
  /** `name@generation of database`, taken while everything ran. */
  snapshots: string[];
  /** Migrations that were entered in the ledger, by database. */
  entered: Record<string, string[]>;
}

async function adopt(options: Options): Promise<AdoptOutcome> {
  const before = await openStack(stackFile(options.stack));
  const baseline = baselinesFrom(options.baseline ?? [], before);
  const runId = newRunId("adopt");
  if (options.undo === true) return withStackLock(before.site, "adopt --undo", runId, () => undo(before, options, runId));
  const look = async (stack: OpenStack): Promise<AdoptionReport> => lookAt({ ...stack, baseline, snapshot: options.snapshot !== false });
  if (options.dryRun === true) return { ...nothing(before), did: "looked", report: await look(await asAdopted(before)) };
  return withStackLock(before.site, "adopt", runId, async () => {
    if (await isKnown(before)) return { ...nothing(before), did: "unchanged" };
    const report = await look(await asAdopted(before));
    report.refused.push(...setupRefusals(before.site, before.definition, before.pins));
    for (const line of adoptionLines(report)) say(line);
    if (report.refused.length > 0) throw new RefusedError(`refused, nothing was changed:\n${report.refused.join("\n")}`);
    await confirm(options.yes, before.stack);
    // What a service is started with is part of the pins that are recorded.
    keepSalt(before.site);
    makeSecrets(before.site, before.definition);
    const after = await asAdopted(before);
    const written = writeStack(before, after.text);
    const entered = Object.fromEntries(
      Object.keys(baseline).map((database) => [database, baselineOf({ ...after, baseline }, database) as string[]]),
    );
    const wanted = { pins: after.pins, baseline: entered, snapshot: options.snapshot !== false, reason: reasonOf(options) };
    try {
      const taken = await adoptStack(after, wanted, { runId, declared: before.config.adopt, say });
      // The first deployment begins when what runs now has been ended: its builds must not take their time then.
      await prepareFirst(after);
      return { ...nothing(before), did: "adopted", report, ...taken };
    } catch (error) {
      if ((error as { givenBack?: boolean }).givenBack === true) writeStack(written, before.text);
      throw error;
    }
  });
}

const STOPS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Nothing depends on it: a deployment builds what is not built. */
async function prepareFirst({ site, definition, pins }: OpenStack): Promise<void> {
  const interrupted = (signal: (typeof STOPS)[number]): void => {
    say(`! interrupted: the databases are adopted, and the next deployment builds ${pins.release}`);
    void endBuilds(site).finally(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of STOPS) process.on(signal, interrupted);
  try {
    await prepareAll(site, definition, pins, say);
  } catch (error) {
    say(`! ${pins.release} is not ready to start yet, and the next deployment would say so as well: ${(error as Error).message}`);
  } finally {
    for (const signal of STOPS) process.off(signal, interrupted);
  }
}

const nothing = ({ stack }: OpenStack): Omit<AdoptOutcome, "did"> => ({ stack, report: null, snapshots: [], entered: {} });

function asAdopted(before: OpenStack): Promise<OpenStack> {
  return openStack(before, editPins(before.text, [{ path: ["adopt"], value: true }]));
}

/** Taken over, or deployed by backout: there is nothing to adopt. */
async function isKnown({ site, definition }: OpenStack): Promise<boolean> {
  const state = await openState(site, definition);
  if (state === null) return false;
  try {
    const record = await adoptionRecord(state);
    if (record !== null) return record.doneAt !== null;
    return (await state.lastOpenRollout()) !== null && !(await wasGivenBack(state, definition));
  } finally {
    await state.end();
  }
}

async function undo(before: OpenStack, options: Options, runId: string): Promise<AdoptOutcome> {
  await endBuilds(before.site);
  const given = await undoAdoption(before, { runId, say, confirm: () => confirm(options.yes, before.stack) });
  if (given === null) return { ...nothing(before), did: "unchanged" };
  // Somebody who had declared it before goes on to declare it.
  if (!given.declared) writeStack(before, editPins(before.text, [{ path: ["adopt"], value: undefined }]));
  return { ...nothing(before), did: "given back" };
}

/** `<migration>` of the only database, or `<database>=<migration>`. @throws UsageError */
function baselinesFrom(given: readonly string[], { definition }: OpenStack): Record<string, string> {
  const databases = Object.keys(definition.databases);
  return Object.fromEntries(
    given.map((text) => {
      const [, named, rest] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (named !== undefined && databases.includes(named)) return [named, rest!];
      if (databases.length === 1) return [databases[0]!, text];
      throw new UsageError(`--baseline ${text}: say of which database, as <database>=<migration>; there are ${databases.join(", ")}`);
    }),
  );
}

function tell(outcome: AdoptOutcome): void {
  const { stack, did, report, snapshots, entered } = outcome;
  if (did === "looked") return print(`${adoptionLines(report!).join("\n")}\nnothing was changed\n`);
  if (did === "unchanged") return print(`${stack}: unchanged\n`);
  if (did === "given back") return print(`${stack}: given back; the databases are as they were found, with all their rows\n`);
  for (const [database, names] of Object.entries(entered)) print(`${database}: ledger records ${names.join(", ")}\n`);
  for (const snapshot of snapshots) print(`snapshot ${snapshot}\n`);
  print(`${stack}: adopted, ${report!.release} is recorded as the release that runs; the next \`deploy\` starts from it\n`);
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addAdopt(program: Command): void {
  program
    .command("adopt")
    .description("take over live databases, and what runs on them, without stopping anything; shows what is there first")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--dry-run", "only look: touches nothing")
    .option(
      "--baseline <migration>",
      "newest migration that a database without a ledger has: recorded, not run; [<database>=]<migration>",
      collect,
    )
    .option("--no-snapshot", "take no first snapshot")
    .option("--undo", "give back what was found, before anything was deployed")
    .option("--reason <text>", "reason, for the record")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => adopt(options),
        tell,
        ({ did, report }) => (did === "looked" && report!.refused.length > 0 ? "refused" : true),
      ),
    );
}
