/** The traffic gate's process: in front of the system for as long as the stack exists. Its state file outlives it; without one it is closed. */
import { join } from "node:path";
import { createHash } from "node:crypto";
import { gateCommand } from "../../gate/command.ts";
import type { GateConfigInput } from "../../gate/config.ts";
import { askGate } from "../../gate/drain.ts";
import { canonical } from "../../declared/pins.ts";
import { definitionOf, gateStateFile, publishedFolder, type Site } from "../../declared/site.ts";
import { currentFolder } from "../../processes/static-site.ts";
import { observeProcess, startProcess, stopProcess, waitHealthy } from "../../processes/process.ts";
import type { SystemDefinition } from "../../systems/definition.ts";
import type { Resource, Values } from "../resource.ts";

interface Inputs {
  site: Site;
}

const NAME = "gate";

function folderOf(site: Site): string {
  return join(site.home, "gate");
}

export function gateConfig(site: Site, definition: SystemDefinition): GateConfigInput {
  return {
    stateFile: gateStateFile(site),
    listeners: Object.values(definition.listeners).map(({ component, readOnlyAllow = [] }) => {
      const port = site.ports[component]!;
      return definition.components[component]?.kind === "static"
        ? { kind: "static", component, port, root: currentFolder(publishedFolder(site, component)) }
        : { kind: "proxy", component, port, upstreamPort: site.ports[`${component}-upstream`]!, readOnlyAllow };
    }),
  };
}

function hashOf(config: GateConfigInput): string {
  return createHash("sha256").update(canonical(config)).digest("hex").slice(0, 16);
}

async function ensure({ site }: Inputs): Promise<Values> {
  const config = gateConfig(site, await definitionOf(site));
  const observed = observeProcess(folderOf(site), NAME);
  if (observed.running && observed.configHash !== hashOf(config)) await stopProcess(folderOf(site), NAME, 5_000);
  const port = config.listeners[0]!.port;
  const { record } = await startProcess(folderOf(site), {
    name: NAME,
    folder: folderOf(site),
    command: gateCommand(join(folderOf(site), "config.json"), config),
    environment: {},
    release: "gate",
    configHash: hashOf(config),
    port,
  });
  await waitHealthy({
    name: NAME,
    check: async () => askGate(`http://127.0.0.1:${port}`).then(
      () => ({ healthy: true, answer: "answers" }),
      (error: unknown) => ({ healthy: false, answer: String(error) }),
    ),
    timeoutMs: 10_000,
    isAlive: () => observeProcess(folderOf(site), NAME).running,
  });
  return { pid: record.pid };
}

export const trafficGate: Resource<Inputs> = {
  token: "backout:index:TrafficGate",
  diff: async (_old, { site }) => {
    const { running, configHash } = observeProcess(folderOf(site), NAME);
    return !running || configHash !== hashOf(gateConfig(site, await definitionOf(site)));
  },
  create: ensure,
  update: async (_old, inputs) => ensure(inputs),
  delete: async ({ site }) => void (await stopProcess(folderOf(site as Site), NAME, 5_000)),
};
