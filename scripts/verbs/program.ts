/** `backout <verb>`: thin: each verb is a file in verbs/, its logic is in the domain folders. */
import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { addAction } from "./action.ts";
import { addAdopt } from "./adopt.ts";
import { addConstraint } from "./constraint.ts";
import { addDeploy } from "./deploy.ts";
import { addDoctor } from "./doctor.ts";
import { addDrill } from "./drill.ts";
import { addFreeze } from "./freeze.ts";
import { addHistory } from "./history.ts";
import { addInit } from "./init.ts";
import { EXIT } from "../pulumi/outcome.ts";
import { addPreview } from "./preview.ts";
import { addPulumi } from "./pulumi.ts";
import { addRecover } from "./recover.ts";
import { addRelease } from "./release.ts";
import { addRollback } from "./rollback.ts";
import { addStatus } from "./status.ts";
import { addUnblock } from "./unblock.ts";
import { addUndo } from "./undo.ts";
import { addWatch } from "./watch.ts";
import { addVerify } from "./verify.ts";

function version(): string {
  for (const path of ["../../package.json", "../../../package.json"])
    try {
      return (JSON.parse(readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8")) as { version: string }).version;
    } catch {
      continue;
    }
  return "unknown";
}

function addSetup(program: Command): void {
  program
    .command("setup")
    .description("find or build the Pulumi engine, and prepare this project")
    .option("--json", "one JSON document on standard output")
    .action(async (options: { json?: boolean }) => {
      const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL(`../setup.${suffix}`, import.meta.url)), ...(options.json === true ? ["--json"] : [])],
        { stdio: "inherit" },
      );
      process.exitCode = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
    });
}

// If the reader of the output is gone (`history | head`, a closed terminal), end silently.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
  });

const program = new Command("backout")
  .description("Rolls back a failed deployment: a rollback is a stack update that pins the previous release and its data.")
  .version(version())
  .showHelpAfterError("(run with --help for usage)")
  .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by policy or safety.")
  // Options behind a word of `pulumi` are Pulumi's.
  .enablePositionalOptions()
  .exitOverride();

addSetup(program);
for (const add of [
  addInit,
  addDoctor,
  addRelease,
  addAdopt,
  addDeploy,
  addStatus,
  addPreview,
  addRollback,
  addUndo,
  addUnblock,
  addVerify,
  addWatch,
  addAction,
  addDrill,
  addHistory,
  addFreeze,
  addConstraint,
  addRecover,
  addPulumi,
])
  add(program);

try {
  // Sub-commands throw too, so every wrong usage has the same exit code.
  for (const command of program.commands) command.exitOverride();
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  // With --json wrong usage is a document too; the message is on standard error.
  if (error.exitCode !== 0 && process.argv.includes("--json"))
    process.stdout.write(`${JSON.stringify({ error: { name: "UsageError", message: error.message.replace(/^error: /, "") } }, null, 2)}\n`);
}
