/** The targets by name. */
import type { Site } from "../../declared/site.ts";
import type { SystemDefinition } from "../../systems/definition.ts";
import { DockerTarget } from "./docker.ts";
import { ProcessTarget } from "./process.ts";
import type { Target } from "./target.ts";

export function targetOf(site: Site, definition: SystemDefinition): Target {
  return site.target === "docker" ? new DockerTarget(site, definition) : new ProcessTarget(site, definition);
}
