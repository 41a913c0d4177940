/** Commands as a person types them in the project: by its npm scripts if it has them, else through npx. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @param project folder of the Pulumi project. @returns e.g. `npm run pulumi -- up --stack shop` */
export function commandOf(project: string, tool: "pulumi" | "backout", words: string): string {
  if (scriptsOf(project).includes(tool)) return `npm run ${tool} -- ${words}`;
  // Only npx finds a package's command; `pulumi` is on the PATH.
  return tool === "backout" ? `npx backout ${words}` : `${tool} ${words}`;
}

/** The drill command: its own npm script if the project has one. */
export function drillCommand(project: string, words: string): string {
  return scriptsOf(project).includes("drill") ? `npm run drill -- ${words}` : commandOf(project, "backout", `drill ${words}`);
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
