/** `command:local:Command`: a command on this machine. */
import { spawn } from "node:child_process";
import { collect, type Logging, type Output } from "./output.ts";
import type { Messages } from "./messages.ts";

export interface LocalInputs {
  create?: string;
  update?: string;
  delete?: string;
  stdin?: string;
  dir?: string;
  interpreter?: string[];
  environment?: Record<string, string>;
  logging?: Logging;
  addPreviousOutputInEnv?: boolean;
}

/** @param previous what the last create or update said */
export async function runLocally(
  command: string,
  inputs: LocalInputs,
  previous: Output,
  messages: Messages,
  signal: AbortSignal,
): Promise<Output> {
  const interpreter = inputs.interpreter ?? [];
  const [program, ...args] = interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"];
  const child = spawn(program!, [...args, command], {
    cwd: inputs.dir ?? process.cwd(),
    env: { ...process.env, ...inputs.environment, ...previousOutput(inputs.addPreviousOutputInEnv, previous) },
    stdio: ["pipe", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  const output = collect(child.stdout, child.stderr, inputs.logging, messages);
  // A command need not read what it is given.
  child.stdin.on("error", () => undefined);
  child.stdin.end(inputs.stdin ?? "");
  try {
    const how = await new Promise<string | null>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, ended) => resolve(ended === null ? (code === 0 ? null : `exit status ${code}`) : `signal: ${ended}`));
    });
    if (how !== null) throw output.failed(how, command);
    return output.kept();
  } finally {
    output.end();
  }
}

/** What was said before, as the next command finds it; nothing where nothing was said. */
export function previousOutput(wanted: boolean | undefined, { stdout, stderr }: Output): Record<string, string> {
  if (wanted === false) return {};
  return { ...(stdout ? { PULUMI_COMMAND_STDOUT: stdout } : {}), ...(stderr ? { PULUMI_COMMAND_STDERR: stderr } : {}) };
}
