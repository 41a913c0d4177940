/** Where a system's services run. A declarative engine cannot stop early and start late, so a target does both. */
import type { ServicePin } from "../config/pins.ts";
import type { HealthAnswer } from "../processes/process.ts";

export interface Observation {
  running: boolean;
  /** Release that really runs (or, for static files, is published); null when unknown. */
  release: string | null;
  pid: number | null;
  /** Id of the current start: changes with every start, also automatic ones; null while it does not run, and for static files. */
  identity: string | null;
  /** Start time, milliseconds since 1970; null as above. */
  startedAtMs: number | null;
  /** Port that was chosen at its start, on 127.0.0.1. @default `backout:ports` */
  port?: number;
  /** Why it does not run, if that is known, and what to do about it. */
  note?: string;
  /** Whether exactly the pinned release, artefact and configuration run. */
  asPinned(pin: ServicePin): boolean;
}

/** What a target does during an update. Every method is idempotent and reports "already …" if nothing changes. */
export interface Target {
  /**
   * Checks that everything the pin needs exists and matches the ledger. Read-only, used in previews too. @throws with the name and the fix.
   */
  check(service: string, pin: ServicePin): Promise<void>;
  /**
   * Checks, fetches what is not on this machine yet, and builds, before anything stops. @throws as `check`; BuildFailedError
   * @param tell takes the progress, a line at a time
   */
  prepare(service: string, pin: ServicePin, tell?: (line: string) => void): Promise<void>;
  /** Puts the pinned artefact in place without starting it. */
  install(service: string, pin: ServicePin): Promise<string>;
  stop(service: string): Promise<string>;
  /** @throws when one still runs. */
  confirmStopped(services: string[]): Promise<void>;
  /** Starts what the pin says and waits until it is healthy; what runs as pinned is left alone. */
  start(service: string, pin: ServicePin): Promise<string>;
  observe(service: string): Promise<Observation>;
  /** Whether a running service is healthy; null: its definition names no way to ask. */
  askHealth(service: string, pin: ServicePin): Promise<HealthAnswer | null>;
  /** Last lines of the service's error log since its start; with a mark, since the mark. */
  errorLog(service: string, lines: number, since?: number): Promise<string[]>;
  /** Current position in the error log. */
  errorMark(service: string): Promise<number>;
}
