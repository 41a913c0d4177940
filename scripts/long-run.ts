/** How torture and fuzz end: results on standard output and, with `--write`, on their page; the exit code is 0 if all went well. */
import { CommanderError, type Command } from "commander";
import { ranNow } from "../drill/reliability.ts";
import { InterruptedError } from "./verbs/interruption.ts";
import { EXIT, exitCodeOf, say } from "./pulumi/outcome.ts";

export interface LongRunOptions {
  json?: boolean;
  write?: boolean;
}

export interface LongRun<T> {
  project: string;
  /** Results. */
  result: T;
  well: boolean;
  /** The results in one sentence. */
  summary: string;
  /** Writes the results to their page. @param ran day and commit */
  write: (ran: { date: string; commit: string }) => void;
}

export function endLongRun<T>({ project, result, well, summary, write }: LongRun<T>, options: LongRunOptions): void {
  if (options.write === true) write(ranNow(project));
  process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : `${summary}\n`);
  process.exitCode = well ? EXIT.done : EXIT.failed;
}

/** Runs the command line. */
export async function runLong(program: Command): Promise<void> {
  program
    .option("--write", "write the results into docs/reliability.md")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    else {
      say((error as Error).message);
      process.exitCode = exitCodeOf(error);
    }
    // The interrupted work may still wait for something that is gone.
    if (error instanceof InterruptedError) process.exit(error.exitCode);
  }
}
