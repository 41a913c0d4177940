/** The pins: what the declared state asks of every service, database, flag and of maintenance, resolved against ledger and definition. */
import { createHash } from "node:crypto";
import type { RunsOn } from "./schema-ahead.ts";
import type { ConstraintState } from "./system/constraint.ts";
import type { Artefact, DataPinText } from "./schema.ts";

/** Which data a database stands on. */
export type DataPin =
  /** Whatever is there. */
  | { kind: "current" }
  /** Descends from this snapshot; `again` > 0 asks for the same one once more. `generation` null: the only one there is. */
  | { kind: "snapshot"; name: string; generation: number | null; again: number }
  /** Is (or descends from) a quarantined database: the undo of a rollback. */
  | { kind: "quarantine"; name: string }
  /** What is there, mended in place by a repair of the definition (or `rows`). `again` > 0 asks for the same one once more. */
  | {
      kind: "repair";
      repair: string;
      /** Snapshot it reads; null where it reads none. */
      snapshot: { name: string; generation: number | null } | null;
      with: Record<string, string>;
      again: number;
    };

export interface ServicePin {
  release: string;
  run: boolean;
  config: Record<string, string>;
  artefact: Artefact;
  /** How often it was asked to start anew; absent: never. */
  restart?: number;
  /** What else it is started with; absent: not known (recorded by an earlier version), and what runs counts as unchanged. */
  setup?: ServiceSetup;
}

/** What a service is started with besides its pin. Never a value of its environment. */
export interface ServiceSetup {
  /** Salted hash of each variable's value, by name. */
  environment: Record<string, string>;
  /** What its definition says of how it runs, by name. */
  definition: Record<string, string>;
}

/** A scope, with the service where it is for one. */
export interface ScopePin {
  name: string;
  service?: string | undefined;
}

export type Maintenance = { mode: "off" | "read-only" | "full"; message: string };
export type SchemaPolicy = "keep" | "mark" | "down";

export interface Pins {
  release: string;
  services: Record<string, ServicePin>;
  /** By database of the definition. */
  data: Record<string, DataPin>;
  /** Newest migration that a pinned release needs, by database. */
  needs: Record<string, string>;
  schema: SchemaPolicy;
  flags: Record<string, boolean>;
  /** Of every constraint of the definition; absent where it has none. */
  constraints?: Record<string, ConstraintState>;
  /** Text of constraints that are to come back improved; absent where there is none. */
  definitions?: Record<string, string>;
  maintenance: Maintenance;
  /** Newest migration each service's release was made for; only where a newer schema breaks it. */
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
