/** What a person types next, as it works where the project stands: by the npm scripts of the project where it has them, else through npx. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @param project folder of the Pulumi project. @returns e.g. `npm run pulumi -- up --stack shop` */
export function commandOf(project: string, tool: "pulumi" | "backout", words: string): string {
  if (scriptsOf(project).includes(tool)) return `npm run ${tool} -- ${words}`;
  // A package's command is on no path but npx's; Pulumi's is its own.
  return tool === "backout" ? `npx backout ${words}` : `${tool} ${words}`;
}

/** A drill has a script of its own where the project gives it one. */
export function drillCommand(project: string, words: string): string {
  return scriptsOf(project).includes("drill") ? `npm run drill -- ${words}` : commandOf(project, "backout", `drill ${words}`);
}

/** The update that goes on, or carries out changed pins. */
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
