/** Judges pins before an update, for the provider's Plan and for every verb: what would be refused, what it would do, whether there is anything to do. */
import type { Asked, RolloutPlan } from "../config/plan.ts";
import { RefusedError } from "../config/errors.ts";
import { type Pins, rolloutOf } from "../config/pins.ts";
import type { Freeze, NewWrites } from "../config/schema.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { StateStore } from "../config/record.ts";
import type { InspectContext } from "../databases/engine.ts";
import { findSnapshot } from "../state/snapshots.ts";
import { cannotRun, outOfReach } from "../workloads/index.ts";
import { takenPorts, toRun } from "../workloads/taken-ports.ts";
import { drift } from "./drift.ts";
import { frozen } from "./freeze.ts";
import { type Facts, inspect, nextRollout, resumes } from "./inspect.ts";
import type { RolloutPreview } from "./preview.ts";

interface Question {
  site: Site;
  definition: SystemDefinition;
  pins: Pins;
  /** Releases, oldest first, and the scope the pins are those of. */
  asked: Asked;
  newWrites: NewWrites;
  freeze: Freeze | null;
  violations: "reject" | "quarantine";
  /** Rows at risk are counted one by one, also in large tables. */
  exact: boolean;
  /** The stack as it is; null: the engine does not know it yet. */
  before: Site | null;
  /** Hash of the pins that the engine has in its state; absent: not asked. */
  planned?: string;
  /** Called with a line for each thing that was fetched from the store. */
  say?: (line: string, severity?: "info" | "warning") => void;
}

interface Assessment {
  /** Why the databases cannot be reached; null: they answer, or there are none yet. Nothing else is known then. */
  unreached: string | null;
  /** Why it is not known what runs; null: the target answers. */
  unseen: string | null;
  /** These pins were opened last, and the services run on the target they are pinned to: no rollout is due. */
  settled: boolean;
  /** What is settled is what was adopted as it ran; absent: it is not. */
  adopted?: true;
  /** Where it is settled: services that do not run as pinned. */
  drifted: string[];
  /** Why an update would be refused, one sentence each. */
  refused: string[];
  /** Null where it would be refused, and where no rollout is due. */
  preview: RolloutPreview | null;
}

/** Touches nothing. What only a rollout needs is not loaded where none is due. */
export async function assess(question: Question): Promise<Assessment> {
  const { site, definition, pins, before } = question;
  const rollout = rolloutOf(pins);
  const facts = await inspect(site, definition, before === null ? undefined : rollout);
  const nothing = { unreached: null, unseen: null, settled: false, drifted: [], refused: [], preview: null };
  if (facts.reach.kind === "unreachable") return { ...nothing, unreached: facts.reach.reason };
  const opened = before !== null && resumes(facts, pins) && facts.last?.state === "open";
  if (opened && before.target === site.target)
    return {
      ...nothing,
      settled: true,
      ...(facts.last?.plan.adopted === true ? { adopted: true as const } : {}),
      ...(await runsAsPinned(question)),
    };
  // First what is kept elsewhere: looking at it needs it here.
  const kept = opened ? [] : await storeRefusals(question, facts);
  // Where nothing changes but the target, what it cannot run is found before the services stop on the other.
  const refusing = kept.length > 0 ? Promise.resolve(kept) : opened ? cannotRun(site, definition, pins) : refusalsOf(question, facts);
  const due = !opened || question.planned !== rollout;
  // Counting row by row takes long: it is left out for what is refused anyway. Otherwise both look at once.
  const previewing = due && kept.length === 0 && !(question.exact && (await refusing).length > 0) ? previewOf(question, facts) : null;
  previewing?.catch(() => undefined);
  const refused = await refusing;
  const previewed = refused.length > 0 || previewing === null ? { refused } : await previewing;
  return { ...nothing, ...previewed, unseen: await outOfReach(site, definition) };
}

/**
 * Why the store, or what this rollout needs of it, refuses it. What is not on this machine is fetched. A store that cannot be used keeps nobody
 * from going back to what is here.
 */
async function storeRefusals({ site, definition, pins, asked, before, say }: Question, facts: Facts): Promise<string[]> {
  if (site.store === undefined) return [];
  const { storeRefusal } = await import("./artefacts.ts");
  let plan: RolloutPlan;
  try {
    plan = nextRollout(facts, definition, pins, asked, before !== null).plan;
  } catch {
    // The other refusals say why.
    return [];
  }
  const refused = await storeRefusal(site);
  if (refused !== null && plan.forward) return [refused];
  if (refused !== null) say?.(`${refused}. It goes back with what is on this machine`, "warning");
  const { openState } = await import("../databases/open-state.ts");
  const state = facts.reach.kind === "reached" ? await openState(site, definition) : null;
  if (state === null) return [];
  return bringNeeded({ site, definition, state }, plan, say).finally(() => state.end());
}

/** Fetches what the rollout reads: what is restored, what rows written since are measured against. @returns why something cannot be had, all at once */
async function bringNeeded(
  at: InspectContext & { state: StateStore },
  { databases }: Pick<RolloutPlan, "databases">,
  say?: (line: string) => void,
): Promise<string[]> {
  const { bringQuarantine, bringSnapshot } = await import("./artefacts.ts");
  const { baseSnapshot } = await import("./at-risk.ts");
  const refused: string[] = [];
  for (const [database, { action }] of Object.entries(databases)) {
    if (action.kind !== "restore" && action.kind !== "undo" && action.kind !== "repair") continue;
    const base =
      action.kind !== "repair"
        ? await baseSnapshot(at, database, action)
        : action.snapshot === null
          ? null
          : await findSnapshot(at.state, database, action.snapshot);
    const work = [
      ...(base === null ? [] : [() => bringSnapshot(at, base, say)]),
      ...(action.kind === "undo" ? [() => bringQuarantine(at, action.quarantine, say)] : []),
    ];
    for (const one of work)
      await one().catch((error: unknown) => {
        if (!(error instanceof RefusedError)) throw error;
        refused.push(error.message);
      });
  }
  return [...new Set(refused)];
}

/** What an update fixes without a rollout: services that do not run as pinned, and ports that they would not get. */
async function runsAsPinned({ site, definition, pins }: Question): Promise<Pick<Assessment, "unseen" | "drifted" | "refused">> {
  const unseen = await outOfReach(site, definition);
  if (unseen !== null) return { unseen, drifted: [], refused: [] };
  const drifted = await drift({ site, definition }, pins);
  const toStart = toRun(pins).filter((service) => drifted.includes(service));
  return { unseen, drifted, refused: await takenPorts(site, definition, toStart) };
}

async function refusalsOf({ site, definition, pins, asked, freeze, violations, before }: Question, facts: Facts): Promise<string[]> {
  const { refusals } = await import("./refusals.ts");
  return [
    ...frozen(freeze, facts, pins, asked, site),
    ...(await refusals(site, definition, pins, facts, asked, violations, before ?? undefined)),
  ];
}

/** The preview, or why the rows that would be lost refuse it. */
async function previewOf(question: Question, facts: Facts): Promise<Partial<Pick<Assessment, "refused" | "preview">>> {
  const { site, definition, pins, asked, newWrites, exact, before } = question;
  const { newWritesRefusals, previewRollout } = await import("./preview.ts");
  const { rehearsedSeconds } = await import("../state/drill-reports/rehearsed.ts");
  const { plan } = nextRollout(facts, definition, pins, asked, before !== null);
  const preview = await previewRollout(site, definition, plan, {
    exact,
    newWrites,
    maintenance: pins.maintenance,
    reached: facts.reach.kind === "reached",
    rehearsed: rehearsedSeconds,
    ...(before === null ? {} : { before }),
  });
  const refused = newWritesRefusals(preview, newWrites, resumes(facts, pins));
  return refused.length > 0 ? { refused } : { preview };
}
