/** Where a system's services run. A declarative engine alone cannot stop early and start late, so a target can both. */
import type { ServicePin } from "../config/pins.ts";

export interface Observation {
  running: boolean;
  /** Release that really runs (or, for static files, is published); null when unknown. */
  release: string | null;
  pid: number | null;
  /** Which start of it runs: another one after every start, also by whoever keeps it running; null while it does not run, and for static files. */
  identity: string | null;
  /** When it was started, milliseconds since the epoch; null as above. */
  startedAtMs: number | null;
  /** Whether what runs is exactly what `pin` asks for: release, artefact and configuration. */
  asPinned(pin: ServicePin): boolean;
}

/** What a target does at the time of an update. Every method is idempotent and says "already so". */
export interface Target {
  /** Checks that everything the pin needs exists and is what was released. Only looks, in previews too. @throws with the name and the fix. */
  check(service: string, pin: ServicePin): Promise<void>;
  /** Checks, and fetches what is not on this machine yet, before anything stops. @throws as `check` */
  prepare(service: string, pin: ServicePin): Promise<void>;
  /** Puts the pinned artefact in place without starting it. */
  install(service: string, pin: ServicePin): Promise<string>;
  stop(service: string): Promise<string>;
  /** @throws when one still runs. */
  confirmStopped(services: string[]): Promise<void>;
  /** Starts what the pin says and waits until it is healthy; what runs as pinned is left alone. */
  start(service: string, pin: ServicePin): Promise<string>;
  observe(service: string): Promise<Observation>;
  /** Last lines of the service's error log since it was started; with a mark, since that was made. */
  errorLog(service: string, lines: number, since?: number): Promise<string[]>;
  /** How far the error log has come. */
  errorMark(service: string): Promise<number>;
}
