/** A folder of migrations, and what a reader finds in it. */
import type { MigrationDefinition, MigrationLayout } from "../system/migration.ts";

export interface Read {
  layout: MigrationLayout;
  /** Oldest first. */
  migrations: MigrationDefinition[];
}

/** A folder as the readers see it. */
export interface Folder {
  /** Absolute. */
  path: string;
  files: string[];
  folders: string[];
  /** A path inside it, relative to the system's folder. */
  relative: (inside: string) => string;
}
