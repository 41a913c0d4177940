/** The drill's own inspection of a stack's data, with its own sessions and SQL: on a server, or in files. */
import type { Stage } from "./stage.ts";
import type { Outside } from "./outside-view.ts";

export async function outsideOf(stage: Stage): Promise<Outside> {
  return stage.site.server === undefined
    ? (await import("./outside-files.ts")).filesOutside(stage)
    : (await import("./outside-server.ts")).serverOutside(stage);
}
