/** `backout init`: looks at a folder and writes the program, the stack file and Pulumi.yaml of the system in it. What exists stays. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import type { Command } from "commander";
import { NAMESPACE, RefusedError, UsageError } from "../../config/errors.ts";
import { secretVariable } from "../../config/names.ts";
import { projectName } from "../../config/program.ts";
import { configOf } from "../../config/stack-text.ts";
import { writeAtomically } from "../../processes/atomic-file.ts";
import { answered } from "../init/ask.ts";
import type { Found } from "../init/found.ts";
import { lookAt } from "../init/look.ts";
import { nextCommands, type NextCommand } from "../init/next.ts";
import { planFiles, programPlace, type PlannedFile, type ProgramPlace } from "../init/plan.ts";
import { secretsOf } from "../init/program-text.ts";
import { isInstalled, projectText } from "../init/project-file.ts";
import { stackKeys } from "../init/stack-text.ts";
import { whereStarted } from "../pulumi/project.ts";
import { finish, print, say } from "../pulumi/outcome.ts";
import { ask } from "./carry-out.ts";

export interface InitOptions {
  stack?: string;
  databaseUrl?: string;
  yes?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export interface InitOutcome {
  folder: string;
  stack: string;
  system: string;
  /** By service: where it was found. */
  services: Record<string, string>;
  databases: Record<string, string>;
  files: PlannedFile[];
  /** What a person has to add to files that stay as they are. */
  byHand: string[];
  /** What was seen and left out. */
  notes: string[];
  next: NextCommand[];
  dryRun: boolean;
  unchanged: boolean;
}

const STACK = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** @param folder of the system. @throws UsageError, RefusedError: nothing was written */
export async function init(options: InitOptions, folder: string = whereStarted()): Promise<InitOutcome> {
  const stack = options.stack ?? "dev";
  if (!STACK.test(stack)) throw new UsageError(`--stack ${stack}: a stack's name has letters, digits and . _ - only; nothing was written`);
  const place = programPlace(folder);
  const project = projectText(folder) === null ? {} : { project: projectName(folder) };
  const looked = lookAt({ folder, ...project, ...(options.databaseUrl === undefined ? {} : { databaseUrl: options.databaseUrl }) });
  // A program that is there has the answers.
  const asks = !place.declares && options.yes !== true && options.dryRun !== true && options.json !== true && process.stdin.isTTY;
  const found = asks ? await answered(looked, ask) : looked;
  const { files, byHand } = planFiles(folder, stack, found, place);
  const toWrite = files.filter(({ did }) => did !== "unchanged");
  if (asks && toWrite.length > 0) await confirmFiles(toWrite);
  if (options.dryRun !== true) for (const { path, text } of toWrite) writeAtomically(join(folder, path), text, 0o644);
  const { server } = stackKeys(found) as { server?: { user?: string } };
  const stackFile = files.find(({ path }) => basename(path) === `Pulumi.${stack}.yaml`)!;
  const config = configOf(stackFile.text, stackFile.path);
  return {
    folder,
    stack,
    ...summary(found),
    files,
    byHand,
    notes: found.notes,
    next: nextCommands(found, {
      folder,
      stack,
      only: !readdirSync(folder).some((name) => /^Pulumi\.(.+)\.yaml$/.test(name) && name !== `Pulumi.${stack}.yaml`),
      installed: isInstalled(folder),
      adopt: found.databases.some(
        ({ server: known, file }) => known !== undefined || (file !== undefined && existsSync(join(folder, file))),
      ),
      user: config[`${NAMESPACE}:serverPassword`] === undefined ? (server?.user ?? null) : null,
      secrets: unsetSecrets(found, place, config),
      program: relative(folder, place.file),
    }),
    dryRun: options.dryRun === true,
    unchanged: toWrite.length === 0,
  };
}

/** What nobody has given yet; a program of the user's may have other secrets, or make them. */
function unsetSecrets({ services }: Found, { declares, file }: ProgramPlace, config: Record<string, unknown>): string[] {
  const program = declares ? readFileSync(file, "utf8") : null;
  const given = Object.keys(config[`${NAMESPACE}:secrets`] ?? {});
  return secretsOf(services).filter((name) => {
    const needed = program === null || (program.includes(name) && !new RegExp(`\\b${name}\\b["']?: *\\{[^}]*generate`).test(program));
    return needed && !given.includes(name) && process.env[secretVariable(name)] === undefined;
  });
}

function summary({ system, services, databases }: Found): Pick<InitOutcome, "system" | "services" | "databases"> {
  return {
    system,
    services: Object.fromEntries(services.map(({ name, from }) => [name, from])),
    databases: Object.fromEntries(databases.map(({ name, engine, from }) => [name, `${engine}, from ${from}`])),
  };
}

async function confirmFiles(files: readonly PlannedFile[]): Promise<void> {
  for (const { path, did, text } of files)
    say(`\n${path}${did === "changed" ? " (added to)" : ""}:\n${text.trimEnd().replaceAll(/^/gm, "  ")}`);
  const answer = await ask(`\nWrite ${files.map(({ path }) => path).join(", ")}? Type yes: `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new RefusedError("not confirmed; nothing was written");
}

/** The outcome as a person reads it. */
export function initLines({ folder, system, services, databases, files, byHand, notes, next, dryRun, unchanged }: InitOutcome): string[] {
  const found = [...Object.entries(services), ...Object.entries(databases)].map(([name, from]) => `  ${name}: ${from}`);
  const done = files.flatMap(({ path, did, text }) => {
    if (did === "unchanged") return [`unchanged: ${path}`];
    const said = did === "changed" ? "added to" : "written";
    return dryRun
      ? [
          `would be ${said}: ${path}`,
          ...text
            .trimEnd()
            .split("\n")
            .map((line) => `  ${line}`.trimEnd()),
        ]
      : [`${said}: ${path}`];
  });
  return [
    `${system} in ${basename(folder)}:`,
    ...found,
    ...notes.map((note) => `  note: ${note}`),
    ...done,
    ...(byHand.length === 0 ? [] : ["by hand:", ...byHand.map((line) => `  ${line}`)]),
    ...(unchanged && byHand.length === 0 ? [`${system}: unchanged`] : []),
    ...(dryRun ? ["nothing was written"] : ["next:", ...next.flatMap(({ command, why }) => [`  # ${why}`, `  ${command}`])]),
  ];
}

export function addInit(program: Command): void {
  program
    .command("init")
    .description("describe the system in this folder: writes its program, stack file and Pulumi.yaml; what exists stays as it is")
    .option("-s, --stack <name>", "stack (default: dev)")
    .option(
      "--database-url <url>",
      "database that it uses: postgresql://user@host:5432/name, or sqlite:file.db; a password in it is written nowhere",
    )
    .option("-y, --yes", "ask nothing")
    .option("--dry-run", "show the files; writes nothing")
    .option("--json", "one JSON document on standard output; asks nothing")
    .action(async (options: InitOptions) =>
      finish(
        options.json,
        () => init(options),
        (outcome) => print(`${initLines(outcome).join("\n")}\n`),
      ),
    );
}
