/** Makes the copy of a release folder in which a program runs, and its build, once per artefact. */
import { constants, createWriteStream, statSync } from "node:fs";
import { cp, mkdir, readdir, rm, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BUILD_LINE } from "../config/progress.ts";
import type { ServicePin } from "../config/pins.ts";
import { copiesFolder, type Site } from "../config/site.ts";
import type { ServiceDefinition } from "../config/system/definition.ts";
import { holdsRelease, verifyArtefact, type Artefact } from "../processes/artefact.ts";
import { writeAtomically } from "../processes/atomic-file.ts";
import { fileLock } from "../processes/file-lock.ts";
import { end } from "../processes/end.ts";
import { findByEnvironment } from "../processes/identity.ts";
import { endMarked, runToEnd } from "../processes/run-to-end.ts";
import { copyOf, isComplete, MARKER_FILE, requireBuild, type ReleaseCopy } from "./runnable.ts";
import { folderOf } from "./static.ts";

/** Tells progress, a line at a time. */
export type Tell = (line: string) => void;

/** A build did not succeed. Nothing was stopped: it runs before anything else. */
export class BuildFailedError extends Error {
  readonly service: string;
  readonly release: string;
  readonly log: string;
  constructor(service: string, release: string, build: readonly string[], how: string, log: string, last: readonly string[]) {
    const lines = last.length === 0 ? "it printed nothing" : `its last lines:\n${last.map((line) => `  ${line}`).join("\n")}`;
    super(
      `the build of ${service} ${release} (\`${build.join(" ")}\`) ${how}, so the release is not started. Its whole output is in ${log}; ${lines}`,
    );
    this.name = "BuildFailedError";
    this.service = service;
    this.release = release;
    this.log = log;
  }
}

/** Marks the processes of a build: one that was interrupted must not write into the next. */
const MARK = "BACKOUT_BUILD";
/** What a build gets besides what every program gets: how to reach package registries from this machine. */
const FOR_BUILDS = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
];
const LAST_LINES = 20;

interface Request {
  site: Site;
  service: string;
  described: ServiceDefinition;
  pin: ServicePin;
  tell: Tell;
  /** Also where there is one already. */
  anew?: boolean;
}

/**
 * Makes the copy unless it is complete.
 * @throws BuildFailedError, NotRunnableError, ArtefactMissingError, ArtefactChangedError
 */
export async function makeCopy({ site, service, described, pin, tell, anew = false }: Request): Promise<"already" | "made" | "not needed"> {
  const copy = copyOf(site, described, pin);
  if (copy === null) return "not needed";
  if (isComplete(copy) && !anew) return used(copy);
  const lock = await fileLock(`${copy.folder}.lock`);
  try {
    if (isComplete(copy) && !anew) return used(copy);
    await make(copy, service, described, folderOf(site, service, pin, "the process target runs a release folder"), tell);
    return "made";
  } finally {
    lock?.release();
  }
}

/** The marker's time is that of the last use. */
async function used(copy: ReleaseCopy): Promise<"already"> {
  await utimes(copy.marker, new Date(), new Date());
  return "already";
}

/** Releases whose copies are kept per service: the ones that run, and those that a rollback goes to. */
const KEPT_RELEASES = 5;

/** Removes the copies that were not used for longest; a way back to one of them makes it again. */
export async function dropOldCopies(site: Site, services: number): Promise<void> {
  const folder = copiesFolder(site);
  const names = await readdir(folder).catch(() => []);
  const complete = names.flatMap((name) => {
    const at = statSync(join(folder, name, MARKER_FILE), { throwIfNoEntry: false })?.mtimeMs;
    return at === undefined ? [] : [{ name, at }];
  });
  const old = complete.sort((one, other) => other.at - one.at).slice(KEPT_RELEASES * services);
  for (const { name } of old) await rm(join(folder, name), { recursive: true, force: true });
}

/** Makes the copy again where it does not hold the released files any more. What a build changed is not known, so a built one is trusted. */
export async function repairCopy(request: Omit<Request, "anew">): Promise<void> {
  const copy = copyOf(request.site, request.described, request.pin);
  if (copy === null) return;
  const artefact = folderOf(request.site, request.service, request.pin, "the process target runs a release folder");
  const anew = copy.build === undefined && isComplete(copy) && !(await holdsRelease(copy.files, artefact));
  await makeCopy({ ...request, anew });
}

async function make(copy: ReleaseCopy, service: string, described: ServiceDefinition, artefact: Artefact, tell: Tell): Promise<void> {
  const mark = { name: MARK, value: copy.folder };
  await endMarked(mark);
  await rm(copy.folder, { recursive: true, force: true });
  await mkdir(copy.folder, { recursive: true, mode: 0o700 });
  await cp(artefact.path, copy.files, {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
    mode: constants.COPYFILE_FICLONE,
  });
  // The copy is verified, not the source: exactly the released files run.
  await verifyArtefact({ ...artefact, path: copy.files });
  if (copy.build !== undefined) await build({ copy, command: copy.build, service, described, artefact, mark, tell });
  writeAtomically(copy.marker, `${JSON.stringify({ sha256: artefact.sha256, build: copy.build ?? null })}\n`);
}

/** Ends the builds of a stack's releases, those of other processes as well, with everything that they started. */
export async function endBuilds(site: Pick<Site, "home">): Promise<void> {
  await end("a build", findByEnvironment(MARK, `${copiesFolder(site)}/`), 0);
}

interface Build {
  copy: ReleaseCopy;
  command: readonly string[];
  service: string;
  described: ServiceDefinition;
  artefact: Artefact;
  mark: { name: string; value: string };
  tell: Tell;
}

async function build({ copy, command, service, described, artefact, mark, tell }: Build): Promise<void> {
  const release = artefact.release ?? "";
  const runnable = requireBuild(service, described, command, copy.files);
  const log = createWriteStream(copy.log, { mode: 0o600 });
  const say: Tell = (line) => tell(`${BUILD_LINE}${service} ${release}: ${line}`);
  const lines = new Lines((line) => say(`| ${line}`));
  say(`\`${command.join(" ")}\``);
  const startedAt = performance.now();
  const environment = Object.fromEntries(
    FOR_BUILDS.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const onOutput = (chunk: Buffer): void => {
    log.write(chunk);
    lines.take(chunk);
  };
  const { code, signal } = await runToEnd({
    command: runnable,
    folder: resolve(copy.files, described.cwd ?? "."),
    environment,
    mark,
    onOutput,
  }).finally(() => new Promise<void>((done) => log.end(() => done())));
  lines.end();
  if (code === 0) return say(`done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  const how = signal === null ? `failed with code ${code}` : `was ended by ${signal}`;
  throw new BuildFailedError(service, release, command, how, copy.log, lines.last);
}

/** Output as lines, of which the last ones are kept. */
class Lines {
  readonly last: string[] = [];
  private rest = "";
  private readonly tell: Tell;
  private readonly decoder = new TextDecoder();

  constructor(tell: Tell) {
    this.tell = tell;
  }

  take(chunk: Buffer): void {
    const lines = (this.rest + this.decoder.decode(chunk, { stream: true })).split(/\r?\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.line(line);
  }

  end(): void {
    if (this.rest !== "") this.line(this.rest);
  }

  private line(line: string): void {
    if (line.trim() === "") return;
    this.tell(line);
    this.last.push(line);
    if (this.last.length > LAST_LINES) this.last.shift();
  }
}
