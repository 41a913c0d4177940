/** The traffic gate's process: in front of the system for as long as the stack exists. Its state file outlives it; without one it is closed. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createHash, randomUUID } from "node:crypto";
import { engineKnows, identityAt, ownIdentity, rememberId } from "../../state/identity.ts";
import { changeGate } from "../../traffic/change.ts";
import { gateCommand } from "../../traffic/command.ts";
import { readGateConfig, type GateConfigInput } from "../../traffic/config.ts";
import { readTls } from "../../traffic/tls.ts";
import { upstreamsFile } from "../../traffic/upstreams.ts";
import { canonical } from "../../config/pins.ts";
import { keysToKeep, requireSameKeys, sharesKeys, stackKeys, type StackKeys } from "../../config/stack-keys.ts";
import type { SiteInputs } from "../../config/resources.ts";
import { GATE_PROCESS, definitionOf, gateFolder, gateStateFile, publishedFolder, type Site } from "../../config/site.ts";
import { currentFolder } from "../../processes/static-site.ts";
import { errorLines, observeProcess, recordChange, startProcess, stopProcess, waitProcessHealthy } from "../../processes/process.ts";
import type { ListenerDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { publicListeners } from "../../config/traffic.ts";
import { foreignFailures } from "../foreign.ts";
import type { Resource, Values } from "../resource.ts";
import { secret } from "../wire.ts";
import { takenListeners, takenPorts } from "../../workloads/taken-ports.ts";
import { beforeDelete } from "./leaving.ts";

interface Inputs extends SiteInputs {
  /** Id of the stack, added by check: what the stack's home does not know on this machine the engine's state does. */
  stackId: string;
  /** Of its outputs: what another machine needs, as JSON. */
  keys?: string;
}

/** The address on 127.0.0.1 for checks, and the public ones. */
function gateConfig(site: Site, definition: SystemDefinition): GateConfigInput {
  const own = Object.values(definition.listeners).map((listener) => ownListener(site, definition, listener));
  const forUsers = publicListeners(site, definition).flatMap(({ service, ...address }) =>
    own.flatMap((listener) => (listener.service === service ? [{ ...listener, ...address }] : [])),
  );
  return { stateFile: gateStateFile(site), listeners: [...own, ...forUsers] };
}

function ownListener(
  site: Site,
  definition: SystemDefinition,
  { service, readOnlyAllow = [], routes = {} }: ListenerDefinition,
): GateConfigInput["listeners"][number] {
  const port = site.ports[service]!;
  const upstream = (name: string): number => site.ports[`${name}-upstream`]!;
  if (definition.services[service]?.kind !== "static")
    return { kind: "proxy", service, port, upstreamPort: upstream(service), readOnlyAllow };
  return {
    kind: "static",
    service,
    port,
    root: currentFolder(publishedFolder(site, service)),
    readOnlyAllow,
    routes: Object.entries(routes).map(([prefix, name]) => ({ prefix, service: name, upstreamPort: upstream(name) })),
  };
}

function hashOf(config: GateConfigInput): string {
  return createHash("sha256").update(canonical(config)).digest("hex").slice(0, 16);
}

async function ensure({ site, stackId }: Inputs, before?: Inputs): Promise<Values> {
  const definition = await definitionOf(site);
  const kept = keysOf(before);
  const here = sharesKeys(site) ? stackKeys(site, definition) : null;
  requireSameKeys(site, kept, here);
  const keys = sharesKeys(site) ? keysToKeep(kept, here) : null;
  rememberId(site.home, stackId);
  ownIdentity(site);
  return { ...(await ensureRuns(site, definition)), ...(keys === null ? {} : { keys: secret(JSON.stringify(keys)) }) };
}

function keysOf(inputs: Inputs | undefined): StackKeys | null {
  return JSON.parse(inputs?.keys ?? "null") as StackKeys | null;
}

async function ensureRuns(site: Site, definition: SystemDefinition): Promise<Values> {
  const config = gateConfig(site, definition);
  const changed = await changedPid(site, config);
  if (changed !== null) return { pid: changed };
  const port = config.listeners[0]!.port;
  const { record } = await startProcess(gateFolder(site), {
    name: GATE_PROCESS,
    folder: gateFolder(site),
    command: gateCommand(configFile(site), config),
    environment: {},
    release: "gate",
    configHash: hashOf(config),
    port,
  });
  await waitProcessHealthy(gateFolder(site), GATE_PROCESS, {
    url: `http://127.0.0.1:${port}/__backout/gate`,
    body: `"pid":${record.pid}`,
    timeoutMs: 10_000,
  });
  return { pid: record.pid };
}

/**
 * The process that runs already and has taken the configuration: users would be refused while another one starts, and for good if it could
 * not. Null: one has to be started.
 */
async function changedPid(site: Site, config: GateConfigInput): Promise<number | null> {
  const folder = gateFolder(site);
  const { pid, record, configHash } = observeProcess(folder, GATE_PROCESS);
  if (pid === null || configHash === hashOf(config)) return null;
  const lastError = () => errorLines(folder, GATE_PROCESS, 1).at(-1) ?? "it does not say why";
  const ports = record?.port == null ? [] : [record.port];
  if (await changeGate({ pid, ports, configFile: configFile(site), lastError }, config)) {
    recordChange(folder, GATE_PROCESS, { configHash: hashOf(config), port: config.listeners[0]!.port });
    return pid;
  }
  await stopProcess(folder, GATE_PROCESS, 5_000);
  return null;
}

function configFile(site: Site): string {
  return join(gateFolder(site), "config.json");
}

/** A gate that starts, or moves, finds its own ports free, and those it will send requests to. */
async function portFailures(site: Site, before: Site | undefined): Promise<{ property: string; reason: string }[]> {
  if (await runsAs(site)) return [];
  const definition = await definitionOf(site);
  const moved = before !== undefined && before.target !== site.target;
  const reasons = [
    ...(await takenListeners(site, definition)),
    ...tlsFailures(site, definition),
    ...(moved ? [] : await takenPorts(site, definition, Object.keys(definition.services))),
  ];
  return reasons.map((reason) => ({ property: "", reason }));
}

/** Certificates that cannot be used, found before anything stops. */
function tlsFailures(site: Site, definition: SystemDefinition): string[] {
  const reasons = publicListeners(site, definition).flatMap(({ tls }) => {
    if (tls === undefined) return [];
    try {
      readTls(tls);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
  return [...new Set(reasons)];
}

/** How the running gate differs from what is declared, in words; empty where none runs. */
export async function gateChanges(site: Site): Promise<string[]> {
  if (!observeProcess(gateFolder(site), GATE_PROCESS).running || (await runsAs(site))) return [];
  const own = ({ listeners }: Pick<GateConfigInput, "listeners">) => listeners.filter(({ host }) => host === undefined);
  const there = Object.fromEntries(own(readGateConfig(configFile(site))).map(({ service, port }) => [service, port]));
  const moved = own(gateConfig(site, await definitionOf(site))).filter(({ service, port }) => there[service] !== port);
  const lines = moved.map(({ service, port }) =>
    there[service] === undefined
      ? `the traffic gate does not listen for ${service} yet, on port ${port}; run \`up\` to fix it`
      : `the traffic gate listens on port ${there[service]} for ${service}, and ${port} is declared; run \`up\` to fix it`,
  );
  return lines.length > 0 ? lines : ["the traffic gate is configured otherwise than declared; run `up` to fix it"];
}

/** Whether it runs with the listeners that are declared. */
async function runsAs(site: Site): Promise<boolean> {
  const { running, configHash } = observeProcess(gateFolder(site), GATE_PROCESS);
  return running && configHash === hashOf(gateConfig(site, await definitionOf(site)));
}

export const trafficGate: Resource<Inputs> = {
  token: "backout:index:TrafficGate",
  beforeDelete,
  // Before anything of the stack is made or started.
  check: async (inputs, old) => {
    const stackId = identityAt(inputs.site.home)?.id ?? old?.stackId ?? randomUUID();
    rememberId(inputs.site.home, stackId);
    if (old !== null) engineKnows(inputs.site.home, old.stackId);
    const failures = await foreignFailures(inputs.site, old?.site);
    if (failures.length === 0) failures.push(...(await portFailures(inputs.site, old?.site)));
    return { inputs: { ...inputs, stackId }, failures };
  },
  diff: async (old, { site, stackId }) => {
    if (old.stackId !== stackId || !(await runsAs(site))) return true;
    if (!sharesKeys(site)) return false;
    return (old.keys ?? "null") !== JSON.stringify(keysToKeep(keysOf(old), stackKeys(site, await definitionOf(site))));
  },
  create: async (inputs) => ensure(inputs),
  update: async (old, inputs) => ensure(inputs, old),
  delete: async ({ site }) => {
    await stopProcess(gateFolder(site), GATE_PROCESS, 5_000);
    // A gate made later starts closed.
    for (const file of [gateStateFile(site), upstreamsFile(gateStateFile(site))]) rmSync(file, { force: true });
  },
};
