/** How a service that backout did not start is stopped, started and observed. */

/** What a control of an external service works with. */
export interface ControlContext {
  system: string;
  stack: string;
  service: string;
  /** The port its users or the gate reach it at; 0: none is declared. */
  port: number;
  /** As in `EnvironmentContext`. */
  databaseUrl: (database: string) => string;
  /** As in `EnvironmentContext`. */
  secret: (name: string) => string;
}

/** What a control puts in place or starts. */
export interface ControlPin {
  release: string;
  /** Absolute path of the release folder, if the ledger names one. */
  path?: string;
  image?: string;
  commit?: string;
  config: Record<string, string>;
}

/** What a control sees. */
export interface ControlObservation {
  running: boolean;
  /** Release that runs; absent: unknown, taken to be the pinned one. */
  release?: string;
  /** Changes with every start; absent: unknown. */
  identity?: string;
  /** Milliseconds since 1970; absent: unknown. */
  startedAtMs?: number;
  /** Port on 127.0.0.1 that was chosen at its start, for the gate and its health. @default `backout:ports` */
  port?: number;
}

/**
 * How an external service is driven. Every function is idempotent and concerns all instances of the service, also those that a failed update
 * left: find them by label, not by the engine's state.
 */
export interface ServiceControl {
  /** Puts a release in place without starting it. */
  install?(context: ControlContext & ControlPin): Promise<void>;
  /** Resolves when it has stopped. Without it the closed data alone keeps the service from writing. */
  stop?(context: ControlContext): Promise<void>;
  /** Starts what `stop` stopped. */
  start?(context: ControlContext & ControlPin): Promise<void>;
  observe?(context: ControlContext): Promise<ControlObservation>;
}
