/** Commands as a person types them in the project: by its npm scripts if it has them, else through npx. */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { NAMESPACE } from "./errors.ts";

/** Set where the `pulumi` on the PATH is backout's own, which nobody's shell finds. */
export const OWN_ENGINE_VARIABLE = "BACKOUT_OWN_ENGINE";

/** @param project folder of the Pulumi project. @returns e.g. `npm run pulumi -- up --stack shop` */
export function commandOf(project: string, tool: "pulumi" | "backout", words: string): string {
  if (scriptsOf(project).includes(tool)) return `npm run ${tool} -- ${words}`;
  // Only npx finds a package's command.
  if (tool === "backout") return `npx backout ${words}`;
  return hasPulumi() ? `pulumi ${words}` : `npx backout pulumi ${words}`;
}

/** A word, quoted for a shell if necessary. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Whether the user's own shell finds Pulumi. */
function hasPulumi(): boolean {
  if (process.env[OWN_ENGINE_VARIABLE] === "1") return false;
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, process.platform === "win32" ? "pulumi.exe" : "pulumi"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The drill command: its own npm script if the project has one. */
export function drillCommand(project: string, words: string): string {
  return scriptsOf(project).includes("drill") ? `npm run drill -- ${words}` : commandOf(project, "backout", `drill ${words}`);
}

/** Encrypts a secret of the definition in the stack file. */
export function setSecretCommand(project: string, name: string): string {
  return commandOf(project, "pulumi", `config set --secret --path ${NAMESPACE}:secrets.${name}`);
}

/** The update that resumes a rollout, or applies changed pins. */
export function upCommand({ project, stack }: { project: string; stack: string }): string {
  return commandOf(project, "pulumi", `up --stack ${stack}`);
}

function scriptsOf(project: string): string[] {
  try {
    const { scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { scripts?: Record<string, unknown> };
    return Object.keys(scripts ?? {});
  } catch {
    return [];
  }
}
