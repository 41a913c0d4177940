/** Rows of a check's SQL file, in a process of its own: a query of SQLite blocks its process and can only be ended with it. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../../processes/run-program.ts";
import type { ViolationQuery } from "../../config/system/check.ts";
import { ScriptFailedError, ScriptSlowError } from "../shared/script-errors.ts";
import type { ViolationAnswer } from "./violations-main.ts";

/** @throws ScriptFailedError, ScriptSlowError */
export async function violationsIn(
  file: string,
  { script, writes, timeoutMs, limit }: Pick<ViolationQuery, "script" | "writes" | "timeoutMs" | "limit">,
): Promise<Record<string, unknown>[]> {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./violations-main.${suffix}`, import.meta.url));
  const { stdout, stderr, timedOut } = await runProgram({
    command: [process.execPath, "--disable-warning=ExperimentalWarning", program, file],
    folder: dirname(file),
    environment: {},
    input: JSON.stringify({ script, writes, limit }),
    timeoutMs,
  });
  if (timedOut) throw new ScriptSlowError(timeoutMs);
  let answer: ViolationAnswer;
  try {
    answer = JSON.parse(stdout) as ViolationAnswer;
  } catch {
    throw new Error(`the SQL file was not run: ${stderr.trim() || "no answer"}`);
  }
  if ("rows" in answer) return answer.rows;
  throw answer.line === null ? new Error(answer.message) : new ScriptFailedError(answer.line, new Error(answer.message));
}
