/** Ports that other processes listen on, found before anything stops. */
import type { Pins } from "../config/pins.ts";
import { gateFolder, processFolder, type Site } from "../config/site.ts";
import { publicListeners } from "../config/traffic.ts";
import { PortTakenError } from "../processes/process.ts";
import { findByEnvironment } from "../processes/identity.ts";
import { holderOf, isPortFree, isPublic } from "../processes/ports.ts";
import { MARKER, markerPrefix } from "../processes/record.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { outOfReach, targetOf } from "./index.ts";
import { portOf } from "./starting.ts";

/** Taken ports of services that should run. One sentence each. */
export async function takenPorts(site: Site, definition: SystemDefinition, services: readonly string[]): Promise<string[]> {
  const reasons: string[] = [];
  if ((await outOfReach(site, definition)) !== null) return reasons;
  for (const service of services) {
    const port = portOf(site, service);
    if (port === 0 || ["static", "external"].includes(definition.services[service]?.kind ?? "")) continue;
    // A container's port is held by a process of the daemon's.
    if (site.target !== "process" && (await targetOf(site, definition).observe(service)).running) continue;
    const reason = await takenPort(service, port, processFolder(site));
    if (reason !== null) reasons.push(reason);
  }
  return reasons;
}

export function toRun(pins: Pick<Pins, "services">): string[] {
  return Object.entries(pins.services).flatMap(([service, { run }]) => (run ? [service] : []));
}

/** Taken ports of the gate's listeners, running or not. */
export async function takenListeners(site: Site, definition: SystemDefinition): Promise<string[]> {
  const reasons: string[] = [];
  for (const { service } of Object.values(definition.listeners)) {
    const port = site.ports[service];
    const reason = port === undefined ? null : await takenPort(`the traffic gate for ${service}`, port, gateFolder(site));
    if (reason === null) continue;
    const undeclared = definition.traffic === undefined && site.traffic === undefined;
    reasons.push(
      undeclared && isPublic(port!)
        ? `${reason}. Other machines reach it there, and the gate listens on 127.0.0.1: for them declare traffic, such as \`traffic: { listen: "0.0.0.0:${port}" }\`, and another port for ${service} in backout:ports`
        : reason,
    );
  }
  for (const { service, port } of publicListeners(site, definition)) {
    const reason = await takenPort(`the traffic gate for users of ${service}`, port, gateFolder(site));
    if (reason !== null) reasons.push(reason);
  }
  return reasons;
}

/** @param folder folder with the records of the stack's processes, which may hold the port: the next start ends orphans */
async function takenPort(who: string, port: number, folder: string): Promise<string | null> {
  if (await isPortFree(port)) return null;
  const holder = holderOf(port);
  const ours = findByEnvironment(MARKER, markerPrefix(folder)).some(({ pid }) => pid === holder);
  return ours ? null : new PortTakenError(who, port, holder).message;
}
