/** `backout release`: the ledger. Lists its releases, and removes one that nothing needs. */
import type { Command } from "commander";
import { changedLines, editPins, type LineChange } from "../../config/edit.ts";
import { RefusedError, suggestion, UsageError } from "../../config/errors.ts";
import { neededBecause, type ReleasesInUse } from "../../config/release-entry.ts";
import { newRunId } from "../../config/run-id.ts";
import { openState } from "../../databases/open-state.ts";
import { orderOf } from "../../rollout/inspect.ts";
import { releaseBefore } from "../../rollout/way-back.ts";
import type { Pins } from "../../config/pins.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { openStack, stackFile, writeStack, type OpenStack } from "../pulumi/stack.ts";
import { standingOf, type Standing } from "../pulumi/standing.ts";
import { addReleaseAdd } from "./release-add.ts";

interface ListedRelease {
  name: string;
  /** The stack or one of its services is pinned to it. */
  pinned: boolean;
  /** It opened last; null: unknown. */
  deployed: boolean | null;
  /** Why it is blocked; null: it is not. */
  blocked: string | null;
  /** When it opened last, ISO 8601; null: never, or unknown. */
  openedAt: string | null;
  tag: string | null;
  /** Folder or image, by service. */
  services: Record<string, string>;
}

interface ReleaseList {
  stack: string;
  /** Why it is not known what runs; null: it is. */
  unknown: string | null;
  /** Oldest first. */
  releases: ListedRelease[];
}

async function list(options: CommonOptions): Promise<ReleaseList> {
  const stack = await openStack(stackFile(options.stack));
  const standing = await standingOf(stack);
  const { config, asked } = stack;
  const unknown = standing.reach.kind === "unreachable" ? standing.reach.reason : null;
  const opened = unknown === null ? await openedAt(stack) : new Map<string, string>();
  const running = runningOf(standing.lastOpen?.pins);
  const names = (asked.order ?? Object.keys(config.releases)).filter((name) => Object.hasOwn(config.releases, name));
  const releases = names.map((name): ListedRelease => {
    const { services, tag } = config.releases[name]!;
    return {
      name,
      pinned: config.release === name || Object.values(config.services).some(({ release }) => release === name),
      deployed: unknown === null ? running.includes(name) : null,
      blocked: config.blocked[name] ?? null,
      openedAt: opened.get(name) ?? null,
      tag: tag ?? null,
      services: Object.fromEntries(Object.entries(services).map(([service, { path, image }]) => [service, image ?? path ?? ""])),
    };
  });
  return { stack: stack.stack, unknown, releases };
}

/** When each release opened last. */
async function openedAt({ site, definition }: OpenStack): Promise<Map<string, string>> {
  const state = await openState(site, definition);
  if (state === null) return new Map();
  const rollouts = await state.rollouts(Number.MAX_SAFE_INTEGER).finally(() => state.end());
  const opened = new Map<string, string>();
  for (const { pins, openedAt: at } of rollouts) if (at !== null && at > (opened.get(pins.release) ?? "")) opened.set(pins.release, at);
  return opened;
}

function runningOf(pins: Pins | undefined): string[] {
  return pins === undefined ? [] : [...new Set([pins.release, ...Object.values(pins.services).map(({ release }) => release)])];
}

function tellList({ stack, unknown, releases }: ReleaseList): void {
  const lines = [`${stack}: the ledger, oldest first`];
  if (unknown !== null) lines.push(`  what runs is unknown: ${unknown}`);
  for (const { name, pinned, deployed, blocked, openedAt: at, tag } of releases) {
    const marks = [
      ...(pinned ? ["pinned"] : []),
      ...(deployed === true ? ["deployed"] : []),
      ...(at === null ? [] : [`opened ${at}`]),
      ...(tag === null ? [] : [`tag ${tag}`]),
      ...(blocked === null ? [] : [`BLOCKED by ${blocked}`]),
    ];
    lines.push(`  ${name}${marks.length === 0 ? "" : `: ${marks.join(", ")}`}`);
  }
  print(`${lines.join("\n")}\n`);
}

interface RemoveOutcome {
  stack: string;
  release: string;
  lines: LineChange;
}

async function remove(release: string, options: CommonOptions): Promise<RemoveOutcome> {
  const { site } = await openStack(stackFile(options.stack));
  return withStackLock(site, `release remove ${release}`, newRunId("release"), async () => {
    const stack = await openStack(stackFile(options.stack));
    const known = Object.keys(stack.config.releases);
    if (!known.includes(release))
      throw new UsageError(`release "${release}" is not in the ledger, which has ${known.join(", ")}${suggestion(release, known)}`);
    const standing = await standingOf(stack);
    if (standing.reach.kind === "unreachable")
      throw new RefusedError(`it is not known what runs, so ${release} stays: ${standing.reach.reason}; nothing was changed`);
    const reason = neededBecause(release, inUse(stack, standing));
    if (reason !== null) throw new RefusedError(`${release} stays in the ledger: ${reason}; nothing was changed`);
    const text = editPins(stack.text, [{ path: ["releases", release], value: undefined }]);
    await openStack(stack, text);
    writeStack(stack, text);
    return { stack: stack.stack, release, lines: changedLines(stack.text, text) };
  });
}

function inUse({ config, asked }: OpenStack, { last, lastOpen, opened }: Standing): ReleasesInUse {
  const current = lastOpen?.pins.release;
  return {
    config,
    running: [...runningOf(last?.pins), ...runningOf(lastOpen?.pins)],
    before: runningOf(opened.at(-2)?.pins),
    back: current === undefined ? null : releaseBefore(opened, orderOf({ opened }, asked), current, Object.keys(config.blocked)),
  };
}

export function addRelease(program: Command): void {
  const release = program.command("release").description("the ledger of releases: add, list, remove");
  addReleaseAdd(release);
  release
    .command("list")
    .description("list the releases, oldest first: which one is pinned, deployed, blocked, and when each opened")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (options: CommonOptions) => finish(options.json, () => list(options), tellList));
  release
    .command("remove <name>")
    .description("remove a release from the ledger; refused for one that is pinned, runs, or is needed as a way back")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (name: string, options: CommonOptions) =>
      finish(
        options.json,
        () => remove(name, options),
        ({ stack, release: gone }) => print(`${stack}: ${gone} is removed from the ledger; its files stay\n`),
      ),
    );
}
