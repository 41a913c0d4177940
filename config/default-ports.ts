/** Ports that a stack file need not name. */
import type { StackConfig } from "./schema.ts";
import { own } from "./own.ts";
import type { SystemDefinition } from "./system/definition.ts";
import { isAskedByPort } from "./system/health.ts";

/** A service behind the gate listens this far above its public port, or below it where there is no room. */
const APART = 10_000;

/** The config with the ports that the definition declares, and those of services behind a public port; what the stack file names stays. */
export function withDefaultPorts(config: StackConfig, { ports, listeners }: Pick<SystemDefinition, "ports" | "listeners">): StackConfig {
  if (ports === undefined) return config;
  const known: Record<string, number> = { ...ports, ...config.ports };
  const upstreams = Object.values(listeners).flatMap(({ service }): [string, number][] => {
    const port = known[service];
    return port === undefined ? [] : [[`${service}-upstream`, behindGate(port)]];
  });
  return { ...config, ports: { ...Object.fromEntries(upstreams), ...known } };
}

/** Where a service behind the gate listens unless the stack file says otherwise. @param port its public one */
export function behindGate(port: number): number {
  return port + APART <= 65_535 ? port + APART : port - APART;
}

/** The ports of a system: of each listener, and of each service behind it; a worker has one if its health is asked over it. */
export function portsOf({ services, listeners }: SystemDefinition): { required: string[]; known: string[] } {
  const behind = Object.values(listeners).flatMap(({ service, routes = {} }) => [service, ...Object.values(routes)]);
  const upstreams = [...new Set(behind)].filter((name) => own(services, name)?.kind !== "static").map((name) => `${name}-upstream`);
  const alone = Object.entries(services).filter(([name, { kind }]) => kind !== "static" && !behind.includes(name));
  const required = [
    ...Object.keys(listeners),
    ...upstreams,
    ...alone.flatMap(([name, { health }]) => (isAskedByPort(health) ? [name] : [])),
  ];
  return { required, known: [...required, ...alone.map(([name]) => name), ...behind.map((name) => `${name}-upstream`)] };
}
