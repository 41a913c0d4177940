/** What a manifest holds. */
import type { SchemaObjects } from "../../config/system/schema-objects.ts";

export interface TableManifest {
  rows: number;
  /** Sum of the hashes of all rows' text: independent of their order. Comparable only between sessions opened by `connect`. */
  checksum: string;
}

export interface Manifest extends SchemaObjects {
  /** By table, named as everywhere: schema-qualified outside `public`. */
  tables: Record<string, TableManifest>;
}

/** A table or view that an extension brought. */
export interface ExtensionRelation {
  /** As in the manifest. */
  name: string;
  extension: string;
}
