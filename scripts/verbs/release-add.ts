/** `backout release add`: enters a release into the ledger, each service by the hash of its folder or the digest of its image. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { commandOf, upCommand } from "../../config/commands.ts";
import { changedLines, editPins, type LineChange } from "../../config/edit.ts";
import { suggestion, UsageError } from "../../config/errors.ts";
import { entryEdits, schemaOf, settingsOf, type ReleaseEntry } from "../../config/release-entry.ts";
import { newRunId } from "../../config/run-id.ts";
import type { Artefact } from "../../config/schema.ts";
import { headOf } from "../../processes/git-head.ts";
import { isImage, resolveImage } from "../../workloads/image-digest.ts";
import { cannotRun } from "../../workloads/index.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { hashRelease } from "../pulumi/release-folder.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { hasLedger, openStack, stackFile, writeStack, type OpenSystem, type StackFile } from "../pulumi/stack.ts";
import { openUnreleased } from "../pulumi/unreleased.ts";

interface Options extends CommonOptions {
  service?: string[];
  schema?: string[];
  config?: string[];
  commit?: string;
  tag?: string;
  dryRun?: boolean;
}

export interface ReleaseAddOutcome {
  stack: string;
  release: string;
  /** Without settings: the ledger may hold them encrypted. */
  entry: ReleaseEntry;
  /** The stack file, relative to the project. */
  file: string;
  /** Lines of the stack file that change. */
  lines: LineChange;
  /** It was there with this content. */
  unchanged: boolean;
  dryRun: boolean;
  /** It is the first one, so it is the pin as well. */
  pinned: boolean;
  /** What to run next. */
  next: string;
}

async function add(release: string, build: string | undefined, options: Options): Promise<ReleaseAddOutcome> {
  const found = stackFile(options.stack);
  if (options.dryRun === true) return enter(found, release, build, options);
  const { site } = await openUnreleased(found, release);
  return withStackLock(site, `release add ${release}`, newRunId("release"), () => enter(stackFile(options.stack), release, build, options));
}

async function enter(found: StackFile, release: string, build: string | undefined, options: Options): Promise<ReleaseAddOutcome> {
  const system = await openUnreleased(found, release);
  const { project, stack, file } = system;
  const first = !hasLedger(found);
  const entry = await entryOf(system, release, build, options);
  const edits = entryEdits(first ? null : system.config, release, entry);
  const text = editPins(found.text, edits);
  // What no verb and no update could read is not written.
  const after = await openStack(found, text);
  const asPinned = await openStack(
    found,
    editPins(text, [
      { path: ["release"], value: release },
      { path: ["blocked", release], value: undefined },
    ]),
  );
  for (const reason of await cannotRun(asPinned.site, asPinned.definition, asPinned.pins)) say(`! ${reason}`);
  if (options.dryRun !== true && edits.length > 0) writeStack(found, text);
  const pinned = after.config.release === release;
  return {
    stack,
    release,
    entry: { ...entry, services: withoutSettings(entry.services) },
    file: relative(project, file),
    lines: changedLines(found.text, text),
    unchanged: edits.length === 0,
    dryRun: options.dryRun === true,
    pinned,
    next: nextOf(system, release, pinned),
  };
}

/** A server of the user's own may have data already: looking tells, and touches nothing. */
function nextOf({ site, project, stack, definition }: OpenSystem, release: string, pinned: boolean): string {
  if (!pinned) return commandOf(project, "backout", `deploy ${release} --stack ${stack}`);
  const own = site.server !== undefined && !site.server.embedded && Object.keys(definition.databases).length > 0;
  return own ? commandOf(project, "backout", `adopt --dry-run --stack ${stack}`) : upCommand(site);
}

function withoutSettings(services: Record<string, Artefact>): Record<string, Artefact> {
  return Object.fromEntries(Object.entries(services).map(([service, { config: _settings, ...build }]) => [service, build]));
}

/** What is not said is as the ledger has it, where it has the release. */
async function entryOf(system: OpenSystem, release: string, build: string | undefined, options: Options): Promise<ReleaseEntry> {
  const { definition, config } = system;
  const there = config.releases[release];
  const known = there !== undefined && hasLedger(system) ? there : undefined;
  const names = Object.keys(definition.services);
  const settings = settingsOf(names, options.config ?? []);
  const services: Record<string, Artefact> = {};
  const without: Uncommitted = new Map();
  for (const [service, what] of Object.entries(buildsOf(names, build, options.service ?? []))) {
    const before = known?.services[service];
    const artefact = await artefactOf(system, what, options.commit, before, without);
    const own = settings[service] ?? (options.config === undefined ? before?.config : undefined);
    services[service] = { ...artefact, ...(own === undefined ? {} : { config: own }) };
  }
  for (const [reason, folders] of without) say(`! no commit is recorded for ${folders.join(", ")}: ${reason}`);
  const tag = options.tag ?? known?.tag;
  const schema = known !== undefined && options.schema === undefined ? known.schema : schemaOf(definition, options.schema ?? []);
  return {
    schema,
    services,
    ...(tag === undefined ? {} : { tag }),
    ...(known?.flags === undefined ? {} : { flags: known.flags }),
    ...(known?.constraints === undefined ? {} : { constraints: known.constraints }),
  };
}

/** The build of every service: one argument for the only service, a folder with a folder for each, or `--service name=build` for each. */
function buildsOf(services: readonly string[], build: string | undefined, given: readonly string[]): Record<string, string> {
  const builds: Record<string, string> = {};
  if (build !== undefined && given.length > 0) throw new UsageError("give either a folder or image, or --service for each service");
  if (build !== undefined && services.length === 1) return { [services[0]!]: build };
  if (build !== undefined) {
    if (isImage(build))
      throw new UsageError(`the system has services ${services.join(", ")}: give --service <name>=<folder or image> for each`);
    for (const service of services) builds[service] = join(build, service);
    const missing = services.filter((service) => !existsSync(builds[service]!));
    if (missing.length > 0)
      throw new UsageError(
        `${build} has no folder ${missing.join(", ")}: each service needs one, or give --service <name>=<folder or image> for each`,
      );
    return builds;
  }
  for (const text of given) {
    const at = text.indexOf("=");
    const service = text.slice(0, Math.max(at, 0));
    if (at < 1) throw new UsageError(`--service "${text}": write it as <name>=<folder or image>`);
    if (!services.includes(service))
      throw new UsageError(
        `--service "${text}": there is no such service, only ${services.join(", ")}${suggestion(service, [...services])}`,
      );
    builds[service] = text.slice(at + 1);
  }
  const missing = services.filter((service) => builds[service] === undefined);
  if (missing.length > 0)
    throw new UsageError(`no build of ${missing.join(", ")}: give --service <name>=<folder or image> for each service`);
  return builds;
}

/** Folders of builds of which no commit is known, by the reason. */
type Uncommitted = Map<string, string[]>;

async function artefactOf(
  system: OpenSystem,
  build: string,
  commit: string | undefined,
  before: Artefact | undefined,
  without: Uncommitted,
): Promise<Artefact> {
  if (isImage(build) && !existsSync(build)) {
    const { image, onlyHere } = await resolveImage(build);
    if (onlyHere) say(`! ${build} is in no registry: it is entered by its id, which only this machine has`);
    return { image, ...(commit === undefined ? {} : { commit }) };
  }
  if (!existsSync(build) && !/^[./]/.test(build))
    throw new UsageError(`${build}: folder not found; an image is named with its tag or digest; nothing was changed`);
  const { project } = system.site;
  const sha256 = await hashRelease(build, project);
  const path = relative(project, resolve(build)) || ".";
  const same = before?.sha256 === sha256 ? before : undefined;
  const built = commit ?? (same === undefined ? await commitOf(system, build, without) : same.commit);
  return { path, sha256, ...(built === undefined ? {} : { commit: built }) };
}

/** The stack file changes with every release, and backout's own folder is no part of one. */
async function commitOf({ project, file }: OpenSystem, folder: string, without: Uncommitted): Promise<string | undefined> {
  const head = await headOf(folder, [file, join(project, ".backout")]);
  if ("commit" in head) return head.commit;
  without.set(head.none, [...(without.get(head.none) ?? []), folder]);
  return undefined;
}

function tell({ release, file, lines, unchanged, dryRun, pinned, next }: ReleaseAddOutcome): void {
  const said = unchanged
    ? `unchanged: ${release} is in the ledger with this content`
    : dryRun
      ? `${release} would be entered into ${file}`
      : `${release} is entered into ${file}${pinned ? ", as the pin: it is the first" : ""}`;
  const text = lines.added.filter((line) => line.trim() !== "").map((line) => `+ ${line}`);
  print(`${[said, ...text, ...(dryRun ? [] : [`next: ${next}`])].join("\n")}\n`);
}

export function addReleaseAdd(release: Command): void {
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  release
    .command("add <name> [build]")
    .description(
      "enter a release into the ledger; <build> is a folder or an image (name:tag or name@sha256:…) of the only service, or a folder with one folder per service",
    )
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--service <name=build>", "folder or image of one service; for each, where there are several", many)
    .option("--schema <database=migration>", "newest migration the release needs (default: the newest one)", many)
    .option("--config <key=value>", "setting of the release: of every service, or `service:key=value` of one", many)
    .option("--commit <sha>", "git commit (default: HEAD of the folder's repository, if nothing in it is changed)")
    .option("--tag <name>", "version control tag of the release")
    .option("--dry-run", "show what would be entered; changes nothing")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (name: string, build: string | undefined, options: Options) =>
      finish(options.json, () => add(name, build, options), tell),
    );
}
