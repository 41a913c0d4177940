/** Where a project keeps its stack files. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { documentOf } from "./stack-text.ts";

/** @param project folder of Pulumi.yaml */
export function stackFolder(project: string): string {
  const file = join(project, "Pulumi.yaml");
  const yaml = documentOf(readFileSync(file, "utf8"), file).value as { stackConfigDir?: string } | null;
  return resolve(project, yaml?.stackConfigDir ?? ".");
}

/** The same for the project at or above a folder; without one, the folder itself. */
export function stackFolderAbove(folder: string): string {
  const project = projectAbove(folder);
  return existsSync(join(project, "Pulumi.yaml")) ? stackFolder(project) : folder;
}

/** The project at or above a folder; without one, the folder itself. */
export function projectAbove(folder: string): string {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, "Pulumi.yaml"))) return at;
    if (dirname(at) === at) return folder;
  }
}
