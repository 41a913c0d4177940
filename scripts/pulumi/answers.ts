/** What verbs answer with --json; the drill reads it. */
import type { RolloutOutcome } from "./roll-out.ts";
import type { ListedItem } from "../../rollout/preflight/list.ts";

import type { Poll } from "../../rollout/verification/watch-rule.ts";
import type { WatchGap } from "../../rollout/verification/watch-record.ts";
import type { Freeze } from "../../config/schema.ts";
import type { Maintenance } from "../../config/pins.ts";
import type { WatchState } from "../../rollout/verification/watches-due.ts";

export interface DeployOutcome extends RolloutOutcome {
  /** The way back that was taken by itself; null where none was needed or wanted. */
  rolledBack: RolloutOutcome | null;
  standby: boolean;
  /** What the system asks for before a deployment, and what became of it; empty where it asks for nothing, or there was nothing to leave. */
  before: ListedItem[];
  /** What is to be watched next; null: nothing. */
  nextWatch: NextWatch | null;
}

export interface NextWatch {
  id: string;
  title: string;
  minutes: number;
  /** What to type. */
  command: string;
}

export interface WatchOutcome {
  stack: string;
  /** Null: none is due. */
  watch: string | null;
  title: string | null;
  passed: boolean;
  /** Had passed before, so that nothing was done. */
  already: boolean;
  epoch: number;
  polls: number;
  of: number;
  unhealthy: Poll[];
  gaps: WatchGap[];
  reasons: string[];
  /** Of its clock: above 1 it was a rehearsal. */
  speed: number;
  record: string | null;
  /** The freeze it was to lift is lifted. */
  lifted: boolean;
  next: NextWatch | null;
}

export interface Status {
  stack: string;
  system: string;
  /** The update that goes on with an unfinished rollout, and starts what is down. */
  up: string;
  /** The command that deploys the pinned release; null: the stack is deployed, or unreachable. */
  deploy: string | null;
  /** What was begun and is not done, and the command that goes on with it as it was begun; null: nothing. */
  pending: { title: string; command: string } | null;
  config: { release: string; data: Record<string, unknown>; blocked: Record<string, string>; freeze: Freeze | null };
  reached: boolean;
  reason: string | null;
  rollout: {
    epoch: number;
    state: string;
    from: string | null;
    to: string;
    /** What ran when the system was adopted: nothing was stopped or started for it. */
    adopted: boolean;
    /** As recorded; null: none is. */
    scope: string | null;
    /** The one service the scope is for; null: it is for none in particular. */
    service: string | null;
    /** Also where users are let in, and the record is not closed. */
    unfinished: boolean;
    failure: string | null;
    openedAt: string | null;
  } | null;
  /** `running`: the gate's process answers. */
  gate: {
    mode: string;
    message: string;
    running: boolean;
    maintenance: Maintenance;
    /** Users reach the services without it. */
    bypassed?: true;
  } | null;
  /** Why it is not known what runs; null: it is. */
  unseen: string | null;
  /** `running`: null: it is not known. */
  services: { name: string; running: boolean | null; release: string | null; pid: number | null; asPinned: boolean }[];
  snapshots: { name: string; database: string; takenAt: string; standby: boolean; noStandby: string | null; sizeBytes: number | null }[];
  /** Services that run on a schema that is too new for them: they went back, their database did not. */
  schemaAhead: string[];
  /** `onlyCopyOf`: what no export holds of it; absent: nothing. */
  quarantines: { name: string; database: string; createdAt: string; sizeBytes: number; onlyCopyOf?: string[]; drop?: string }[];
  /** Watches after the last rollout. */
  watches: { id: string; title: string; state: WatchState["state"]; polls: number; of: number | null }[];
  /** All copies of the data beside the live one. */
  copiesBytes: number;
}
