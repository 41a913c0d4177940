/** What a drill needs of a system. */
import { UsageError } from "../errors.ts";
import type { DataAccess } from "./check.ts";

/** A defect of the newer sample release that a drill switches on, and the probe that must see it. */
export interface FaultDefinition {
  /** The defect in words. */
  title: string;
  /** Scope a rollback from this fault takes unless told otherwise. */
  scope: string;
  /** Service the scope is for, where it is for one. */
  service?: string;
  /** The defect is a configuration: overrides by service, declared and brought in by an ordinary update before the fault is switched on. */
  configure?: Record<string, Record<string, string>>;
  /** Makes the deployment of the newer release fail half-way: called before it, while the older one runs. The drill then deploys and expects the failure. */
  beforeDeploy?(context: DrillContext): Promise<void>;
  /** Scope of a rollback that is carried out first and does not suffice: what it leaves is the fault. It is expected to fail its verification. */
  after?: string;
  /** What stands in the rollback's way, so that it fails after its fence: somebody else takes the port of a service. */
  hinder?: { portOf: string };
  /** Alternative of the stack by which the rollback is finished once it has failed. */
  alternative?: string;
  /** Flips the defect on in the running system (over HTTP, the environment or the database). */
  switchOn(context: DrillContext): Promise<void>;
  /** Resolves with what was seen when the fault shows; `null` while it does not. Called repeatedly. */
  probe(context: DrillContext): Promise<string | null>;
  /** Arguments of the repair that fixes it, found by looking: what a person would give as `--with name=value`. */
  repairWith?(context: DrillContext): Promise<Record<string, string>>;
}

/** What the functions of a drill work with. */
export interface DrillContext extends DataAccess {
  /** Base URL of a listener, through the gate. */
  url(service: string): string;
  /** A secret of the drill's own stack, by name. */
  secret(name: string): string;
  /** What really runs of a service; null: unknown. */
  observe(service: string): Promise<{ running: boolean; release: string | null; pid: number | null }>;
  /** Whether the service is declared to run now: one that a rollback leaves stopped shows no fault by not running. */
  runs(service: string): boolean;
  /** Folder of everything the stack keeps on this machine: exports, records. */
  home: string;
  /** Folder for stand-ins of this drill. */
  folder: string;
}

/** How a rollback of the system is rehearsed. */
export interface DrillDefinition {
  /** Release that is deployed second and left, e.g. `v4.0.0`. */
  from: string;
  /** Release that is deployed first and the goal of the rollback. */
  to: string;
  /** The fault of a drill that names none. */
  defaultFault: string;
  /** Faults that can be rehearsed, by name. */
  faults: Record<string, FaultDefinition>;
  /** Puts `rows` rows of data into the live databases. */
  seed(data: DataAccess, rows: number): Promise<void>;
  /** What the witness writes: HTTP requests as data, so that it shares no code. See drill/witness/. */
  witness: WitnessScript;
  /** Stand-ins for external systems a drill starts (e.g. a payment API): program relative to the system's folder. */
  standIns: Record<string, StandInDefinition>;
}

/** A program in place of an external system. Started with `PORT`, `FOLDER` (where it keeps what it received) and `environment`. */
export interface StandInDefinition {
  /** Program for Node, relative to the system's folder. */
  entry: string;
  /** Configuration key under which every service is given the stand-in's URL, e.g. `PEMS_URL`. */
  urlKey?: string;
  /** Further environment variables. */
  environment?: (context: { port: number; folder: string; secret: (name: string) => string }) => Record<string, string>;
}

/** How the witness writes and reads, as data. `{{id}}`, `{{value}}`, `{{token}}` and `{{secret:<name>}}` are filled in by the witness. */
export interface WitnessScript {
  /** The listener that it asks. */
  service: string;
  /** Signs in; `tokenField` of the answer is `{{token}}` in the others. */
  login: { method: string; path: string; body: Record<string, string>; tokenField: string };
  /** Inserts a row. */
  insert: { method: string; path: string; body: Record<string, string> };
  /** Updates a row. */
  update: { method: string; path: string; body: Record<string, string> };
  /** Deletes a row. */
  delete: { method: string; path: string };
  /** Table, key column and value column in which an acknowledged write must be found. */
  table: string;
  /** Column of `{{id}}`. */
  key: string;
  /** Column of `{{value}}`. */
  value: string;
}

/** A system is to be drilled whose definition does not say how. */
export class NoDrillError extends UsageError {
  constructor(system: string) {
    super(`${system} cannot be drilled: its definition has no \`drill\`. Add faults, a seed and a witness to it.`);
    this.name = "NoDrillError";
  }
}

/** @throws NoDrillError */
export function drillOf({ name, drill }: { name: string; drill?: DrillDefinition }): DrillDefinition {
  if (drill === undefined) throw new NoDrillError(name);
  return drill;
}
