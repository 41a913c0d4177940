/** Ports that a stack file need not name. */
import type { StackConfig } from "./schema.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** A service behind the gate listens this far above its public port, or below it where there is no room. */
const APART = 10_000;

/** The config with the ports that the definition declares, and those of services behind a public port; what the stack file names stays. */
export function withDefaultPorts(config: StackConfig, { ports, listeners }: Pick<SystemDefinition, "ports" | "listeners">): StackConfig {
  if (ports === undefined) return config;
  const known: Record<string, number> = { ...ports, ...config.ports };
  const upstreams = Object.values(listeners).flatMap(({ service }): [string, number][] => {
    const port = known[service];
    return port === undefined ? [] : [[`${service}-upstream`, port + APART <= 65_535 ? port + APART : port - APART]];
  });
  return { ...config, ports: { ...Object.fromEntries(upstreams), ...known } };
}
