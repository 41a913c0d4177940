/** Runs the real engine on a stack: arguments as arrays, what it says handed on line by line, what a killed one left removed first. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { ensureEngine, engineEnvironment } from "./engine.ts";
import { cleanFileBackend } from "./file-backend.ts";
import { prepareProject } from "./project.ts";
import { newSaltLines, saltedFiles } from "./salt.ts";
import { say } from "./outcome.ts";

export interface PulumiOutcome {
  code: number;
  /** Everything it said, secrets are never among it. */
  output: string;
  /** What of it was said on standard error. */
  errorOutput: string;
}

export interface PulumiCall {
  project: string;
  stack: string;
  arguments: string[];
  environment?: NodeJS.ProcessEnv;
  onLine?: (line: string) => void;
}

export async function runPulumi({
  project,
  stack,
  arguments: given,
  environment = {},
  onLine = () => undefined,
}: PulumiCall): Promise<PulumiOutcome> {
  const engine = await ensureEngine({ log: say });
  await prepareProject(project);
  const env = { ...engineEnvironment(engine, project), ...environment };
  cleanFileBackend(env["PULUMI_BACKEND_URL"], stack, project);
  const child = spawn(engine.pulumi, [...given, "--stack", stack, "--non-interactive", "--color", "never"], {
    cwd: project,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C is passed on once, the engine ends what is in flight, and this process waits for it.
    detached: true,
  });
  const pass = (): void => void child.kill("SIGINT");
  process.on("SIGINT", pass);
  process.on("SIGTERM", pass);
  process.on("SIGHUP", goOnAlone);
  const lines: string[] = [];
  const errorLines: string[] = [];
  const collect = async (stream: NodeJS.ReadableStream): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      lines.push(line);
      if (stream === child.stderr) errorLines.push(line);
      onLine(line);
    }
  };
  try {
    const [code] = await Promise.all([
      new Promise<number>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (status) => resolve(status ?? 1));
      }),
      collect(child.stdout),
      collect(child.stderr),
    ]);
    return { code, output: lines.join("\n"), errorOutput: errorLines.join("\n") };
  } finally {
    process.off("SIGINT", pass);
    process.off("SIGTERM", pass);
    process.off("SIGHUP", goOnAlone);
  }
}

/** A closed terminal does not stop the update: it ends by itself, and the state records how. */
function goOnAlone(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

/** Makes the stack where it is not there yet; what that adds to the stack file is reported. */
export async function ensureStack(project: string, stack: string): Promise<void> {
  const salted = saltedFiles(project);
  const { code, output } = await runPulumi({ project, stack, arguments: ["stack", "select", "--create"] });
  if (code !== 0) throw new Error(`the stack ${stack} could not be selected: ${output}`);
  newSaltLines(project, salted).forEach(say);
}
