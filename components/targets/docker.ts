/** The `docker` target. */
import type { Site } from "../../declared/site.ts";
import type { SystemDefinition } from "../../systems/definition.ts";
import { ProcessTarget } from "./process.ts";
import type { Target } from "./target.ts";

export class DockerTarget extends ProcessTarget implements Target {
  constructor(site: Site, definition: SystemDefinition) {
    super(site, definition);
  }
}
