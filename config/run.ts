/** The input of every step of a rollout. */
import type { Site } from "./site.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { StateStore } from "./record.ts";

export type Log = (severity: "debug" | "info" | "warning" | "error", message: string) => void;

export interface Run {
  site: Site;
  definition: SystemDefinition;
  state: StateStore;
  epoch: number;
  runId: string;
  log: Log;
  /** What to do after a step has failed. */
  failed?(run: Run, failure: string): Promise<void>;
}
