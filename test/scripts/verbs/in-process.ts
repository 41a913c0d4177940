/** The engine in this process: a test says what an update does, and every resource of the provider has the state to itself. */
import { definitionOf, stateFile, type Site } from "../../../config/site.ts";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import type { PulumiOutcome } from "../../../scripts/pulumi/pulumi-run.ts";

export const engine = {
  up: null as ((runId: string) => Promise<PulumiOutcome>) | null,
  runId: "",
  states: [] as SqliteState[],
};

/** Stands for scripts/pulumi/pulumi-run.ts. */
export const pulumiRun = {
  ensureStack: () => Promise.resolve(),
  runPulumi: ({ environment }: { environment: Record<string, string> }) => engine.up!(environment["BACKOUT_RUN_ID"]!),
};

/** Stands for provider/session.ts: a provider lives as long as one update and holds the lock meanwhile. */
export const session = {
  runOf: async (site: Site, epoch: number, { log }: { log: () => void }) => {
    const state = await SqliteState.create(stateFile(site));
    engine.states.push(state);
    return { site, definition: await definitionOf(site), state, epoch, runId: engine.runId, log };
  },
};
