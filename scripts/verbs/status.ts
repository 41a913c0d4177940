/** `backout status`: release, gate, services, snapshots and their standby copies, quarantines, disk. */
import type { Command } from "commander";
import { outOfReach, targetOf } from "../../workloads/index.ts";
import { openState } from "../../databases/open-state.ts";
import { readinessOf, type Readiness } from "../../rollout/standby.ts";
import { showFreeze } from "../../rollout/freeze.ts";
import { gateRuns } from "../../rollout/gate.ts";
import { isDone, inspect, type Facts } from "../../rollout/inspect.ts";
import { enginesOf } from "../../databases/registry.ts";
import { dropCommand, neverWritten, onlyCopies, onlyCopyWords } from "../../rollout/only-copy.ts";
import { maintenanceLine } from "../../rollout/preview-lines.ts";
import { scopeText } from "../../config/recorded-scope.ts";
import { runsOn, schemaAhead } from "../../config/schema-ahead.ts";
import { upCommand } from "../../config/commands.ts";
import { gateStateFile, type Site } from "../../config/site.ts";
import { readGateState } from "../../traffic/state.ts";
import { clockSpeed } from "../../rollout/verification/clock.ts";
import { watchStates } from "../../rollout/verification/watches-due.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { deployCommand } from "../pulumi/not-deployed.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { intentKept, pendingOf } from "../pulumi/standing.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import type { Status } from "../pulumi/answers.ts";

async function status(options: CommonOptions): Promise<Status> {
  const stack = await openStack(stackFile(options.stack));
  const { site, definition, pins } = stack;
  const facts = await inspect(site, definition);
  const target = targetOf(site, definition);
  const gate = readGateState(gateStateFile(site));
  const unseen = await outOfReach(site, definition);
  const services: Status["services"] = [];
  for (const [name, pin] of Object.entries(pins.services)) {
    const observed = unseen === null ? await target.observe(name) : null;
    if (observed === null) {
      services.push({ name, running: null, release: null, pid: null, asPinned: false });
      continue;
    }
    const { running, release, pid } = observed;
    services.push({
      name,
      running,
      release,
      pid,
      asPinned: pin.run ? running && observed.asPinned(pin) : !running || definition.services[name]?.kind === "static",
    });
  }
  const sizes = facts.reach.kind === "reached" ? await copySizes(site, definition) : new Map<string, number>();
  const ready = await readiness(stack, facts);
  const pending = facts.reach.kind === "reached" ? pendingOf(stack, facts.last, await intentKept(stack)) : null;
  const copies = facts.catalogue.filter(({ role }) => role !== "live");
  const held = await heldAlone(stack, copies);
  return {
    stack: stack.stack,
    system: definition.name,
    up: upCommand(site),
    deploy: facts.reach.kind === "absent" ? deployCommand(stack) : null,
    pending: pending === null ? null : { title: pending.title, command: pending.command },
    config: { release: pins.release, data: pins.data, blocked: stack.config.blocked, freeze: stack.config.freeze ?? null },
    reached: facts.reach.kind === "reached",
    reason: facts.reach.kind === "unreachable" ? facts.reach.reason : facts.reach.kind === "absent" ? "not deployed yet" : null,
    rollout:
      facts.last === null
        ? null
        : {
            epoch: facts.last.epoch,
            state: facts.last.state,
            from: facts.last.plan.fromRelease,
            to: facts.last.plan.toRelease,
            adopted: facts.last.plan.adopted === true,
            scope: facts.last.plan.scope,
            service: facts.last.plan.service ?? null,
            unfinished: facts.last.state !== "refused" && !isDone(facts.last),
            failure: facts.last.failure,
            openedAt: facts.last.openedAt,
          },
    gate:
      gate === null
        ? null
        : {
            mode: gate.mode,
            message: gate.message,
            running: gateRuns(site),
            maintenance: gate.maintenance,
            ...(gate.bypassed === true ? { bypassed: true as const } : {}),
          },
    services,
    unseen,
    snapshots: facts.snapshots.map(({ id, name, generation, database, takenAt, sizeBytes }) => ({
      name: `${name}@${generation}`,
      database,
      takenAt,
      standby: ready.get(id)?.standby ?? false,
      noStandby: ready.get(id)?.reason ?? null,
      sizeBytes,
    })),
    schemaAhead: aheadOf(stack, facts, Object.fromEntries(services.map(({ name, release }) => [name, release]))),
    quarantines: copies
      .filter(({ role }) => role === "quarantine")
      .map(({ name, database, createdAt }) => {
        const only = held.get(name);
        const onlyCopy = only === undefined ? {} : { onlyCopyOf: only, drop: dropCommand(site, stack.config.backups, name) };
        return { name, database, createdAt, sizeBytes: sizes.get(name) ?? 0, ...onlyCopy };
      }),
    watches: watchesOf(stack, facts.last),
    copiesBytes:
      copies.reduce((sum, { name }) => sum + (sizes.get(name) ?? 0), 0) +
      facts.snapshots.reduce((sum, { location, sizeBytes }) => sum + (sizes.get(location) ?? sizeBytes ?? 0), 0),
  };
}

/** By quarantine: data that only it holds. */
async function heldAlone({ site, definition }: OpenStack, copies: Facts["catalogue"]): Promise<Map<string, string[]>> {
  const state = copies.some(({ role }) => role === "quarantine") ? await openState(site, definition) : null;
  if (state === null) return new Map();
  try {
    return await onlyCopies({ site, state }, copies, await neverWritten(state, copies));
  } finally {
    await state.end();
  }
}

/** By snapshot. */
async function readiness({ site, definition }: OpenStack, { snapshots }: Facts): Promise<Map<number, Readiness>> {
  const state = snapshots.length === 0 ? null : await openState(site, definition);
  const found = new Map<number, Readiness>();
  if (state === null) return found;
  try {
    for (const snapshot of snapshots) found.set(snapshot.id, await readinessOf({ site, definition, state }, snapshot));
  } finally {
    await state.end();
  }
  return found;
}

function watchesOf({ site, definition }: OpenStack, last: Facts["last"]): Status["watches"] {
  if (last?.state !== "open") return [];
  return watchStates(site, definition, last, clockSpeed()).map(({ id, title, state, record }) => ({
    id,
    title,
    state,
    polls: record?.polls.length ?? 0,
    of: record?.begin.polls ?? null,
  }));
}

async function copySizes(site: Site, definition: SystemDefinition): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { engine } of await enginesOf({ site, definition }))
    for (const [name, bytes] of await engine.inspect.copyBytes({ site, definition, state: null })) sizes.set(name, bytes);
  return sizes;
}

function aheadOf({ definition, config }: OpenStack, facts: Facts, running: Record<string, string | null>): string[] {
  const wanted = runsOn(definition, config.releases, running);
  const applied = Object.fromEntries(Object.entries(facts.databases).map(([name, database]) => [name, database.applied]));
  return wanted === undefined ? [] : schemaAhead(definition, wanted, applied);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function statusLines(found: Status): string[] {
  const lines = [`${found.stack} (${found.system}): pinned to ${found.config.release}`];
  if (found.deploy !== null) lines.push(`  not deployed yet: to deploy it, run \`${found.deploy}\``);
  else if (found.reason !== null) lines.push(`  ${found.reason}`);
  if (found.rollout !== null) {
    const { epoch, state, from, to, adopted, scope, service, unfinished: open, failure } = found.rollout;
    lines.push(
      `  rollout ${epoch}: ${adopted ? "adopted, as it ran" : (from ?? "nothing")} → ${to}${scope === null ? "" : ` (${scopeText(scope, service ?? undefined)})`}, ${state}${failure === null ? "" : `, failed at ${failure}`}${open ? `: UNFINISHED, run \`${found.pending?.command ?? found.up}\` again` : ""}`,
    );
  }
  if (found.pending !== null && found.rollout?.unfinished !== true)
    lines.push(`  ${found.pending.title}: run \`${found.pending.command}\` again`);
  const down =
    found.gate?.running === false ? `, but its process is NOT RUNNING, users cannot connect: run \`${found.up}\` to start it` : "";
  const bypassed = found.gate?.bypassed === true ? " for checks; users reach the services without it" : "";
  const outside = found.rollout?.adopted === true && found.gate === null;
  const none = outside ? "not started yet: users reach the services as before" : "closed (no gate state)";
  if (found.gate !== null || found.deploy === null) lines.push(`  gate: ${found.gate === null ? none : found.gate.mode}${bypassed}${down}`);
  if (found.gate !== null && found.gate.maintenance.mode !== "off") lines.push(`  ${maintenanceLine(found.gate.maintenance)}`);
  if (found.unseen !== null) lines.push(`  services: unknown: ${found.unseen}`);
  for (const { name, running, release, pid, asPinned } of found.services.filter(
    ({ running }) => running === true || (running === false && found.deploy === null),
  ))
    lines.push(
      `  ${name}: ${running ? `${release ?? "?"}${pid === null ? "" : ` (pid ${pid})`}` : "off"}${asPinned ? "" : outside ? ", not started by backout yet" : "  NOT AS PINNED"}`,
    );
  for (const line of found.schemaAhead) lines.push(`  SCHEMA TOO NEW: ${line}`);
  for (const { name, database, standby, noStandby, takenAt } of found.snapshots)
    lines.push(
      `  snapshot ${name} of ${database}: ${standby ? "standby copy ready" : "no standby copy"}, ${takenAt}${noStandby === null ? "" : `: ${noStandby}`}`,
    );
  for (const { name, createdAt, sizeBytes, onlyCopyOf, drop = "" } of found.quarantines)
    lines.push(
      `  quarantine ${name}: ${createdAt}, ${megabytes(sizeBytes)}${onlyCopyOf === undefined ? "" : `: ${onlyCopyWords(onlyCopyOf)}, so it is kept until you drop it: ${drop}`}`,
    );
  for (const { id, state, polls, of } of found.watches)
    lines.push(`  watch ${id}: ${state}${of === null ? "" : `, ${polls} of ${of} polls`}`);
  lines.push(`  copies of the data use ${megabytes(found.copiesBytes)}`);
  if (found.config.freeze !== null) lines.push(`  ${showFreeze(found.config.freeze)}`);
  for (const [release, incident] of Object.entries(found.config.blocked)) lines.push(`  ${release} is blocked: ${incident}`);
  return lines;
}

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("show release, gate, services, snapshots, quarantines, disk")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (options: CommonOptions) =>
      finish(
        options.json,
        () => status(options),
        (found) => print(`${statusLines(found).join("\n")}\n`),
      ),
    );
}
