/** What a service's pin runs on this machine: its command, its working folder, and whether both are there. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { canonical, type ServicePin } from "../config/pins.ts";
import { heldSecret } from "../config/secrets.ts";
import { copiesFolder, type Site } from "../config/site.ts";
import type { ServiceDefinition, SystemDefinition } from "../config/system/definition.ts";
import { findProgram, ProgramError } from "../processes/program.ts";
import { environmentWith, serviceOf } from "./starting.ts";
import { folderOf } from "./static.ts";

/** A service's program, working folder or build cannot be run as defined. Nothing was stopped. */
export class NotRunnableError extends Error {
  readonly service: string;
  readonly key: string;
  constructor(service: string, key: string, reason: string) {
    super(`definition.services.${service}.${key}: ${reason}`);
    this.name = "NotRunnableError";
    this.service = service;
    this.key = key;
  }
}

/** A copy of a release folder, in which a program runs: whatever it writes beside itself, the release folder stays as it was released. */
export interface ReleaseCopy {
  /** Unique for an artefact and its build. */
  folder: string;
  files: string;
  /** There once the copy is complete and built. */
  marker: string;
  log: string;
  build: readonly string[] | undefined;
}

/** Name of a copy's marker. */
export const MARKER_FILE = "complete.json";

/** Null: it runs in the release folder. */
export function copyOf(site: Pick<Site, "home">, described: ServiceDefinition, { artefact }: ServicePin): ReleaseCopy | null {
  const build = artefact.build ?? described.build;
  if (build === undefined && described.command === undefined) return null;
  const built = build === undefined ? [] : [hashOf({ build, cwd: described.cwd ?? "." }).slice(0, 8)];
  const folder = join(copiesFolder(site), [artefact.sha256?.slice(0, 16), ...built].join("-"));
  return { folder, files: join(folder, "files"), marker: join(folder, MARKER_FILE), log: join(folder, "build.log"), build };
}

export function isComplete(copy: ReleaseCopy): boolean {
  return existsSync(copy.marker);
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

export interface Runnable {
  /** With the program's absolute path. */
  command: string[];
  folder: string;
}

/**
 * Requires that a pin can be started, as far as that is known: while its build is still to be made, a file that is missing may be one that the
 * build makes. @throws NotRunnableError with the fix
 */
export function requireRunnable(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): void {
  const described = serviceOf(definition, service);
  const copy = copyOf(site, described, pin);
  const released = releasedFolder(site, service, pin);
  const path = pathOf(site, definition, service, pin);
  if (copy?.build === undefined) return void runnableIn(released, service, described, path);
  if (isComplete(copy)) return void runnableIn(copy.files, service, described, path);
  requireBuild(service, described, copy.build, released);
  const folder = resolve(released, described.cwd ?? ".");
  for (const [key, command] of commandsOf(described)) found(service, key, command, folder, path, true);
}

/** What is started for a pin. @throws NotRunnableError */
export function runnableOf(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): Runnable {
  const described = serviceOf(definition, service);
  const root = copyOf(site, described, pin)?.files ?? releasedFolder(site, service, pin);
  return runnableIn(root, service, described, pathOf(site, definition, service, pin));
}

function runnableIn(root: string, service: string, described: ServiceDefinition, path: string): Runnable {
  const folder = resolve(root, described.cwd ?? ".");
  requireFolder(service, folder);
  const commands = commandsOf(described).map(([key, command]) => [key, found(service, key, command, folder, path)] as const);
  const [own] = commands.flatMap(([key, command]) => (key === "command" ? [command] : []));
  return { command: own ?? forNode(service, described.entry ?? "main.ts", folder), folder };
}

function releasedFolder(site: Site, service: string, pin: ServicePin): string {
  return folderOf(site, service, pin, "the process target runs a release folder").path;
}

/** The program of a build, with its absolute path. @throws NotRunnableError */
export function requireBuild(service: string, { cwd = "." }: ServiceDefinition, build: readonly string[], root: string): string[] {
  const folder = resolve(root, cwd);
  requireFolder(service, folder);
  return found(service, "build", build, folder, process.env["PATH"] ?? "");
}

function commandsOf({ command, health }: ServiceDefinition): [key: string, command: readonly string[]][] {
  return [
    ...(command === undefined ? [] : [["command", command] as [string, readonly string[]]]),
    ...(health?.command === undefined ? [] : [["health.command", health.command] as [string, readonly string[]]]),
  ];
}

/** @param unbuilt a program that does not exist may be made by the build */
function found(service: string, key: string, command: readonly string[], folder: string, path: string, unbuilt = false): string[] {
  const [program = "", ...parameters] = command;
  try {
    return [findProgram(program, { folder, path }), ...parameters];
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    if (unbuilt && !error.exists) return [...command];
    throw new NotRunnableError(service, key, error.message);
  }
}

function requireFolder(service: string, folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new NotRunnableError(service, "cwd", `${folder} is not a folder of the release: correct it, or add the folder to the release`);
}

function forNode(service: string, entry: string, folder: string): string[] {
  if (!existsSync(join(folder, entry)))
    throw new NotRunnableError(service, "entry", `"${entry}" not found in ${folder}: correct the name, or add the file to the release`);
  return [process.execPath, "--disable-warning=ExperimentalWarning", entry];
}

/** The `PATH` that the service will have. Reads only: what else its environment lacks is refused where it is asked for. */
function pathOf(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): string {
  const inherited = process.env["PATH"] ?? "";
  try {
    const context = { port: 0, databaseUrl: () => "", secret: (name: string) => heldSecret(site, name) ?? "" };
    return environmentWith(site, definition, service, pin, context)["PATH"] ?? inherited;
  } catch {
    return inherited;
  }
}
