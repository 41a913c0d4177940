/**
 * Learns a system from a program in Python, Go, C# or YAML: the engine runs a preview of it, in which the component hands over what the program
 * describes and ends. Nothing is declared, so nothing is changed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandOf } from "../../config/commands.ts";
import { RefusedError } from "../../config/errors.ts";
import { DESCRIBE_VARIABLE, languageOf, type PlainProgram } from "../../config/program.ts";
import { STACK_NOT_FOUND } from "./engine.ts";
import { runPulumi } from "./pulumi-run.ts";

const LAST_LINES = 20;

/** The program describes no system, or cannot be run. */
export class NotDescribedError extends RefusedError {
  readonly project: string;
  constructor(project: string, reason: string) {
    super(`${project}: ${reason}. Nothing was changed`);
    this.name = "NotDescribedError";
    this.project = project;
  }
}

const known = new Map<string, Promise<PlainProgram>>();

/** The description by a program in another language than Node's; null: the program is one for Node. @throws NotDescribedError */
export async function plainProgram({ project, stack }: { project: string; stack: string }): Promise<PlainProgram | null> {
  if (languageOf(project) === "nodejs") return null;
  const key = JSON.stringify([project, stack]);
  const described = known.get(key) ?? describe(project, stack);
  known.set(key, described);
  return described;
}

async function describe(project: string, stack: string): Promise<PlainProgram> {
  const folder = mkdtempSync(join(tmpdir(), "backout-describe-"));
  const file = join(folder, "system.json");
  try {
    const { code, output } = await runPulumi({ project, stack, arguments: ["preview"], environment: { [DESCRIBE_VARIABLE]: file } });
    const text = textOf(file);
    if (text !== null) return JSON.parse(text) as PlainProgram;
    if (code === STACK_NOT_FOUND)
      throw new NotDescribedError(
        project,
        `the engine runs its program, and has no stack ${stack}: run \`${commandOf(project, "pulumi", `stack select --create ${stack}`)}\``,
      );
    if (code === 0) throw new NotDescribedError(project, "its program declares no system: add one of type backout:System");
    throw new NotDescribedError(project, `its program fails in a preview:\n${output.trim().split("\n").slice(-LAST_LINES).join("\n")}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
