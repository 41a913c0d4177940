/** `backout <verb>`: thin: each verb is a file in verbs/, its logic is in the domain folders. */
import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { EXIT } from "../pulumi/outcome.ts";

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

/** In the order of `--help`. Each is loaded when it is asked for: together they take twice as long as any of them. */
const VERBS: Record<string, () => Promise<(program: Command) => void>> = {
  setup: async () => Promise.resolve(addSetup),
  init: async () => (await import("./init.ts")).addInit,
  doctor: async () => (await import("./doctor.ts")).addDoctor,
  release: async () => (await import("./release.ts")).addRelease,
  adopt: async () => (await import("./adopt.ts")).addAdopt,
  deploy: async () => (await import("./deploy.ts")).addDeploy,
  status: async () => (await import("./status.ts")).addStatus,
  preview: async () => (await import("./preview.ts")).addPreview,
  rollback: async () => (await import("./rollback.ts")).addRollback,
  undo: async () => (await import("./undo.ts")).addUndo,
  unblock: async () => (await import("./unblock.ts")).addUnblock,
  verify: async () => (await import("./verify.ts")).addVerify,
  watch: async () => (await import("./watch.ts")).addWatch,
  action: async () => (await import("./action.ts")).addAction,
  drill: async () => (await import("./drill.ts")).addDrill,
  history: async () => (await import("./history.ts")).addHistory,
  freeze: async () => (await import("./freeze.ts")).addFreeze,
  constraint: async () => (await import("./constraint.ts")).addConstraint,
  recover: async () => (await import("./recover.ts")).addRecover,
  pulumi: async () => (await import("./pulumi.ts")).addPulumi,
};

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

const [, , verb = ""] = process.argv;
for (const load of Object.hasOwn(VERBS, verb) ? [VERBS[verb]!] : Object.values(VERBS)) (await load())(program);

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
