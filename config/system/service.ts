/** What a service is: its program, its databases, its health. */
import type { ServiceControl } from "./control.ts";
import type { HealthDefinition } from "./health.ts";

/** Where a service runs and how it is driven. */
export type ServiceKind =
  /** A long-running process that answers HTTP behind the traffic gate. */
  | "service"
  /** A long-running process without users of its own. */
  | "worker"
  /** A folder of files, published as a whole and served by the traffic gate (S3 and CloudFront in production). */
  | "static"
  /** A resource of the program, or whatever `control` stops, starts and observes. */
  | "external";

/** What a service's environment may refer to when it is started. */
export interface EnvironmentContext {
  /** The port the service must listen on: services, and workers whose health is asked over a port; otherwise 0. */
  port: number;
  /**
   * A ready connection string for the service's role, by database name of the definition; of a SQLite database the absolute path of its
   * file.
   */
  databaseUrl: (database: string) => string;
  /** A secret by name; never written to state, logs or argument lists. */
  secret: (name: string) => string;
  /** Release that is being started, e.g. `v3.0.0`. */
  release: string;
  /** The service's declared configuration (`services.<name>.config` merged over the ledger's). */
  config: Record<string, string>;
}

/** A service of a system. */
export interface ServiceDefinition {
  /** Where it runs and how it is driven. */
  kind: ServiceKind;
  /** Its name in words. */
  title: string;
  /** Program for Node inside the release folder, e.g. `main.ts`. Exactly one of `entry` and `command`; none of them for `static`. */
  entry?: string;
  /**
   * Any program with its arguments, e.g. `["python3", "worker.py"]`, run in a copy of the release folder. A name without slash is looked for
   * on the PATH, then in the working folder. Its environment has `PORT`, `DATABASE_URL`, `BACKOUT_RELEASE` and its configuration.
   */
  command?: string[];
  /** Working folder, relative to the release folder. @default the release folder */
  cwd?: string;
  /**
   * Program with its arguments that prepares a release, e.g. `["npm", "ci"]`: run once per artefact in a copy of the release folder, before
   * anything stops. An artefact of the ledger may bring its own.
   */
  build?: string[];
  /** Names of the databases this service writes to. */
  databases: string[];
  /**
   * PostgreSQL role of the service's own, instead of backout's. It exists already and keeps its grants; it is let in with backout's role,
   * before users.
   */
  databaseRole?: string;
  /** Secret with the password of `databaseRole`. @default the name of the role */
  databaseSecret?: string;
  /** The service runs when it is healthy; absent: as soon as it is started. */
  health?: HealthDefinition;
  /** How long a stop waits after SIGTERM before SIGKILL. Milliseconds. */
  stopGraceMs: number;
  /** How an `external` service is driven; of no other kind. */
  control?: ServiceControl;
  /** Environment variables of the process; they override those that `command` gets by itself. */
  environment?(context: EnvironmentContext): Record<string, string>;
}
