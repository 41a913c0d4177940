/** The pins: what the config requires of every service, database, flag and of maintenance, resolved against ledger and definition. */
import { createHash } from "node:crypto";
import type { RunsOn } from "./schema-ahead.ts";
import type { ConstraintState } from "./system/constraint.ts";
import type { Artefact, DataPinText } from "./schema.ts";

/** The data of a database. */
export type DataPin =
  /** The current data. */
  | { kind: "current" }
  /** Descends from this snapshot; `again` > 0 restores the same one once more. `generation` null: the only existing one. */
  | { kind: "snapshot"; name: string; generation: number | null; again: number }
  /** Is (or descends from) a quarantined database: the undo of a rollback. */
  | { kind: "quarantine"; name: string }
  /** The current data, repaired in place by a repair of the definition (or `rows`). `again` > 0 runs the same one once more. */
  | {
      kind: "repair";
      repair: string;
      /** Snapshot that it reads; null: none. */
      snapshot: { name: string; generation: number | null } | null;
      with: Record<string, string>;
      again: number;
    };

export interface ServicePin {
  release: string;
  run: boolean;
  config: Record<string, string>;
  artefact: Artefact;
  /** Number of requested restarts; absent: none. */
  restart?: number;
  /** What else it is started with; absent: unknown (recorded by an earlier version), counts as unchanged. */
  setup?: ServiceSetup;
}

/** What a service is started with besides its pin. Never holds values of its environment. */
export interface ServiceSetup {
  /** Salted hash of each variable's value, by name. */
  environment: Record<string, string>;
  /** Its definition's run settings, by name. */
  definition: Record<string, string>;
}

/** A scope, with the service if it is a scope of one service. */
export interface ScopePin {
  name: string;
  service?: string | undefined;
}

export type Maintenance = { mode: "off" | "read-only" | "full"; message: string };
export type SchemaPolicy = "keep" | "mark" | "down";

/** The config of a stack, resolved: what should run, and on which data. */
export interface Pins {
  /** The stack's release. */
  release: string;
  /** What each service should run. */
  services: Record<string, ServicePin>;
  /** By database of the definition. */
  data: Record<string, DataPin>;
  /** Newest migration that a pinned release needs, by database. */
  needs: Record<string, string>;
  /** What becomes of newer migrations when the release goes back and the data stays. */
  schema: SchemaPolicy;
  /** Feature flags, by name. */
  flags: Record<string, boolean>;
  /** State of every constraint of the definition; absent if it has none. */
  constraints?: Record<string, ConstraintState>;
  /** New definitions of constraints to enforce; absent: none. */
  definitions?: Record<string, string>;
  /** Whom the gate lets in. */
  maintenance: Maintenance;
  /** Newest migration that each service's release supports; only if a newer schema breaks it. */
  runsOn?: RunsOn;
  /** Declared snapshots that must exist. */
  snapshots: string[];
}

/** `current`, `before-v4.0.0`, `before-v4.0.0@2`, `quarantine:<database>`, `{snapshot, again}` or `{repair, snapshot, with}`. */
export function parseDataPin(text: DataPinText): DataPin {
  if (typeof text === "object" && "repair" in text) {
    const snapshot = text.snapshot === undefined ? null : parseDataPin(text.snapshot);
    return {
      kind: "repair",
      repair: text.repair,
      snapshot: snapshot?.kind === "snapshot" ? { name: snapshot.name, generation: snapshot.generation } : null,
      with: text.with,
      again: text.again ?? 0,
    };
  }
  if (typeof text === "object") {
    const pin = parseDataPin(text.snapshot);
    return pin.kind === "snapshot" ? { ...pin, again: text.again } : pin;
  }
  if (text === "current") return { kind: "current" };
  if (text.startsWith("quarantine:")) return { kind: "quarantine", name: text.slice("quarantine:".length) };
  const [name, generation] = text.split("@", 2) as [string, string | undefined];
  return { kind: "snapshot", name, generation: generation === undefined ? null : Number(generation), again: 0 };
}

export function showDataPin(pin: DataPin): string {
  switch (pin.kind) {
    case "current":
      return "current";
    case "quarantine":
      return `quarantine:${pin.name}`;
    case "snapshot":
      return `${pin.name}${pin.generation === null ? "" : `@${pin.generation}`}${pin.again > 0 ? ` (again: ${pin.again})` : ""}`;
    case "repair":
      return `repair ${pin.repair}${pin.again > 0 ? ` (again: ${pin.again})` : ""}`;
  }
}

/** Identity of a rollout: same pins, same hash. */
export function rolloutOf(pins: Pins): string {
  return createHash("sha256").update(canonical(pins)).digest("hex").slice(0, 32);
}

/** JSON with sorted keys: equal values, equal text. By hand: libraries (RFC 8785) sort keys that are numbers otherwise, which would change recorded hashes. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
