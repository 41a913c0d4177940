/** What `init` finds in a folder: services, databases, and how each is started. */
import { RefusedError } from "../../config/errors.ts";

/** Value of an environment variable: as it is, what stands before the port of the service, the address of a database, or a secret by name. */
export type Value = { text: string } | { beforePort: string } | { database: string } | { secret: string };

export interface FoundService {
  name: string;
  /** Where it was found, e.g. `compose.yaml, line 4`. */
  from: string;
  /** Its files, relative to the folder of the system. */
  folder: string;
  /** Program and arguments. Absent: a site, or an image. */
  command?: string[];
  /** Program that prepares a release. */
  build?: string;
  /** Static files. */
  site?: true;
  /** Image that it runs instead of a command. */
  image?: string;
  /** A Dockerfile makes an image of it. */
  containerised?: true;
  /** Path of its endpoint, or `tcp`: it listens. Absent: nothing is known to listen. */
  health?: string;
  /** Port that users reach it at, or, where it is not public, other services. */
  port?: number;
  /** Port that it listens on by itself: in a container, in its command. */
  inner?: number;
  public: boolean;
  environment: Record<string, Value>;
  /** Names of services that it needs. */
  needs: string[];
}

export interface FoundDatabase {
  /** Name in the definition. */
  name: string;
  /** Name on the server. */
  live: string;
  engine: "postgres" | "sqlite";
  from: string;
  server?: FoundServer;
  /** Of SQLite: the file, relative to the folder of the system. */
  file?: string;
  migrations?: { folder: string; layout: string; migrate?: string; migrateDown?: string };
  /** Names by which other services reach its server. */
  hosts: string[];
}

export interface FoundServer {
  host: string;
  port: number;
  user: string;
}

export interface Found {
  system: string;
  services: FoundService[];
  databases: FoundDatabase[];
  /** What was seen and left out, with the reason. */
  notes: string[];
}

/** A file that `init` reads is wrong. */
export class InitFileError extends RefusedError {
  readonly file: string;
  /** Counted from 1; null: unknown. */
  readonly line: number | null;
  constructor(file: string, line: number | null, problem: string) {
    super(`${file}${line === null ? "" : `, line ${line}`}: ${problem}; nothing was written`);
    this.name = "InitFileError";
    this.file = file;
    this.line = line;
  }
}

/** The port that a text begins with. */
export function portNumber(text: string): number | undefined {
  const number = Number.parseInt(text, 10);
  return number > 0 && number <= 65_535 ? number : undefined;
}

/** A name as services and systems may have it. */
export function plainName(text: string): string {
  return (
    text
      .replace(/^@[^/]*\//, "")
      .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
      .replaceAll(/^[^A-Za-z0-9]+|-+$/g, "")
      .toLowerCase() || "system"
  );
}
