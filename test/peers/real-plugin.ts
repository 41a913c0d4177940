/** Where this machine has the real plugin of a provider, as the engine looks for it. */
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { mayRun } from "../../processes/program.ts";

export interface Plugin {
  /** Name of its executable. */
  program: string;
  /** Of its folder in the engine's cache, e.g. `resource-docker-v5.2.0`. */
  folder: string;
  /** Folder of the one that stands in for it. */
  standIn: string;
}

/** Its executable on the PATH, else in the engine's cache; null: only the stand-in is there. */
export function realPlugin({ program, folder, standIn }: Plugin, environment: NodeJS.ProcessEnv = process.env): string | null {
  const onPath = (environment["PATH"] ?? "").split(delimiter).filter((each) => each !== "" && each !== standIn);
  const cached = join(environment["PULUMI_HOME"] || join(homedir(), ".pulumi"), "plugins", folder);
  return [...onPath, cached].map((each) => join(each, program)).find(mayRun) ?? null;
}
