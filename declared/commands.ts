/** What a person types next, as it works where the project stands: by the npm scripts of this repository, or by the tools' own names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @param project folder of the Pulumi project. @returns e.g. `npm run pulumi -- up --stack shop` */
export function commandOf(project: string, tool: "pulumi" | "backout", words: string): string {
  return scriptsOf(project).includes(tool) ? `npm run ${tool} -- ${words}` : `${tool} ${words}`;
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
