/** What a definition and a stack file say about traffic, resolved. */
import { resolve } from "node:path";
import type { SystemDefinition } from "./system/definition.ts";
import type { GateTraffic, SwitchedTraffic, TlsFiles, TrafficDefinition } from "./system/traffic.ts";

export interface Address {
  host: string;
  port: number;
}

export interface PublicListener extends Address {
  service: string;
  tls?: TlsFiles;
}

export function isSwitched(traffic: TrafficDefinition | undefined): traffic is SwitchedTraffic {
  return typeof traffic === "object" && "close" in traffic;
}

/** Users do not come through the gate and nothing else keeps them out. */
export function isOpenAlways({ traffic }: Pick<SystemDefinition, "traffic">): boolean {
  return traffic === "none";
}

/** `host:port`, IPv6 in brackets; null: it is none. */
export function parseAddress(text: string): Address | null {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65535 ? { host, port } : null;
}

/** Texts of the public addresses by service. One text is that of the only listener. */
export function listenTexts({ listen }: GateTraffic, listeners: readonly string[]): Record<string, string> {
  if (listen === undefined) return {};
  return typeof listen === "string" ? Object.fromEntries(listeners.slice(0, 1).map((service) => [service, listen])) : listen;
}

/** The public addresses of the gate: the stack file's, else the definition's. */
export function publicListeners(
  site: { traffic?: GateTraffic | "private"; project: string },
  definition: Pick<SystemDefinition, "traffic" | "folder" | "listeners">,
): PublicListener[] {
  const { traffic = {}, folder } = definition;
  if (site.traffic === "private" || traffic === "none" || isSwitched(traffic)) return [];
  const listeners = Object.values(definition.listeners).map(({ service }) => service);
  const texts = listenTexts(site.traffic?.listen === undefined ? traffic : site.traffic, listeners);
  const [files, base] = site.traffic?.tls === undefined ? [traffic.tls, folder] : [site.traffic.tls, site.project];
  const tls = files === undefined ? {} : { tls: { certificate: resolve(base, files.certificate), key: resolve(base, files.key) } };
  return Object.entries(texts).flatMap(([service, text]) => {
    const address = parseAddress(text);
    return address === null ? [] : [{ service, ...address, ...tls }];
  });
}
