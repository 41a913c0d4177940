/** How a started service shows that it works. Exactly one of `path`, `command` and `tcp`. */
export interface HealthDefinition {
  /** Path of an endpoint of the service, e.g. `/healthz`: healthy when it answers 200. Needs a port. */
  path?: string;
  /** Text that the answer of `path` must contain. */
  body?: string;
  /** Program and arguments, run in the service's working folder with its environment: healthy when it ends with code 0. */
  command?: string[];
  /** Healthy when its port accepts a connection. Needs a port. */
  tcp?: true;
  /** How long a service may take to become healthy after its start. Milliseconds. */
  timeoutMs: number;
}

/** Whether the health of a service is asked over its port. */
export function isAskedByPort(health: HealthDefinition | undefined): boolean {
  return health !== undefined && health.command === undefined;
}
