/** What adopting a system would find and do, and why it would be refused. Touches nothing. */
import { commandOf } from "../../config/commands.ts";
import type { Asked, DatabaseFacts } from "../../config/plan.ts";
import type { Pins } from "../../config/pins.ts";
import { servicesRole, type Site } from "../../config/site.ts";
import { publicListeners } from "../../config/traffic.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { openState, statePlace } from "../../databases/open-state.ts";
import { adoptionOf, inspectionOf } from "../../databases/registry.ts";
import { obstacle, type FoundDatabase } from "../../databases/shared/adoption.ts";
import { commandLineOf } from "../../processes/identity.ts";
import { holderOf, isPortFree } from "../../processes/ports.ts";
import { targetOf } from "../../workloads/index.ts";
import { portOf } from "../../workloads/starting.ts";
import { inspect, planFrom, type Facts } from "../inspect.ts";
import { FIRST_SNAPSHOT } from "./take-over.ts";

export interface FoundService {
  name: string;
  kind: string;
  release: string;
  /** Whether it runs, as its control observes it; null: backout cannot see it before it has started it. */
  running: boolean | null;
  /** Ports that it will use, each with what listens there now; null: nothing. `taken`: that must be ended before the next deployment. */
  ports: { port: number; use: "users" | "service"; heldBy: string | null; taken: boolean }[];
}

export interface AdoptionReport {
  stack: string;
  /** The release that is pinned: recorded as the one that runs. */
  release: string;
  databases: Record<string, FoundDatabase>;
  services: FoundService[];
  /** What adopting does, one sentence each. */
  does: string[];
  /** Why it would be refused, one sentence each. */
  refused: string[];
}

export interface AdoptionQuestion {
  site: Site;
  definition: SystemDefinition;
  pins: Pins;
  asked: Asked;
  /** Newest migration that is in a database without a ledger, by database. */
  baseline: Record<string, string>;
  snapshot: boolean;
}

/** @param site with `adopt`, as it would be */
export async function lookAt(question: AdoptionQuestion): Promise<AdoptionReport> {
  const { site, definition, pins } = question;
  const facts = await inspect(site, definition);
  const report = { stack: site.stack, release: pins.release, databases: {}, services: await servicesOf(question), does: [], refused: [] };
  if (facts.reach.kind === "unreachable") return { ...report, refused: [`the database cannot be reached: ${facts.reach.reason}`] };
  if (site.server?.embedded === true)
    return { ...report, refused: ["the embedded server is backout's own: there is nothing to adopt on it"] };
  const missing = Object.keys(definition.databases).filter((database) => facts.databases[database]?.exists !== true);
  if (missing.length > 0)
    return { ...report, refused: [`there is no database ${missing.join(", ")} yet, so nothing is to be adopted: ${deployed(question)}`] };
  const databases: Record<string, FoundDatabase> = {};
  const refused: string[] = [];
  for (const database of Object.keys(definition.databases)) {
    databases[database] = await (await adoptionOf(question, database)).look({ site, definition, state: null }, database);
    refused.push(...(await refusalsFor(question, facts, database)));
  }
  return { ...report, databases, does: doesOf(question, databases), refused: [...new Set(refused)] };
}

function deployed({ site, pins }: AdoptionQuestion): string {
  return `\`${commandOf(site.project, "backout", `deploy ${pins.release} --stack ${site.stack}`)}\` makes it`;
}

async function refusalsFor(question: AdoptionQuestion, facts: Facts, database: string): Promise<string[]> {
  const { site, definition, pins, asked, snapshot } = question;
  const entered = baselineOf(question, database);
  if (typeof entered === "string") return [entered];
  const now = facts.databases[database]!;
  const as: DatabaseFacts = entered.length > 0 && now.applied.length === 0 ? { ...now, applied: entered } : now;
  const refused: string[] = [];
  const state = await openState(site, definition);
  try {
    const before = { ...facts, last: null, lastOpen: null, databases: { ...facts.databases, [database]: as } };
    const plan = planFrom(before, definition, pins, asked).databases[database]!;
    refused.push(...(await (await inspectionOf(question, database)).foreign({ site, definition, state }, database, plan, as.applied)));
    if (as.applied.length > 0 && plan.up.length > 0)
      refused.push(
        `${pins.release} needs ${plan.up.join(", ")}, which ${database} does not have: pin the release that runs now under backout:release`,
      );
  } finally {
    await state?.end();
  }
  if (entered.length > 0 && now.applied.length > 0 && !entered.every((name) => now.applied.includes(name)))
    refused.push(`${database}: its ledger records ${now.applied.join(", ")} already: leave out --baseline`);
  if (!snapshot) return refused;
  const reason = await (await adoptionOf(question, database)).noSnapshotBecause({ site, definition, state: null }, database);
  if (reason !== null) refused.push(`no snapshot of ${database} can be taken while it is open: ${reason}; --no-snapshot goes without`);
  const room = await obstacle(async () =>
    (await inspectionOf(question, database)).requireRoom({ site, definition, state: null }, [database], []),
  );
  return [...refused, ...(room === null || reason !== null ? [] : [room])];
}

/** Migrations to enter, oldest first; a sentence where the name is none. */
export function baselineOf(
  { definition, baseline }: Pick<AdoptionQuestion, "definition" | "baseline">,
  database: string,
): string[] | string {
  const newest = baseline[database];
  if (newest === undefined) return [];
  const known = definition.databases[database]!.migrations.map(({ name }) => name);
  return known.includes(newest)
    ? known.slice(0, known.indexOf(newest) + 1)
    : `--baseline ${newest}: ${database} has no such migration; there are ${known.join(", ")}`;
}

function doesOf(question: AdoptionQuestion, databases: Record<string, FoundDatabase>): string[] {
  const { site, definition, pins, snapshot } = question;
  const names = Object.values(databases).map(({ live }) => live);
  const entered = Object.keys(databases).flatMap((database) => {
    const list = baselineOf(question, database);
    return typeof list === "string" || list.length === 0
      ? []
      : [`enters ${list.join(", ")} in the ledger of ${database} as applied, and runs none of them`];
  });
  return [
    "writes backout:adopt: true into the stack file",
    ...(site.server === undefined
      ? []
      : [`makes role ${servicesRole(site)} and lets it connect, read and write rows of ${names.join(", ")}; nobody else's rights change`]),
    `keeps its state in ${statePlace(site, definition)}`,
    ...entered,
    ...(snapshot
      ? [
          `takes the snapshot ${FIRST_SNAPSHOT} of ${names.join(", ")} while ${names.length === 1 ? "it is" : "they are"} open, into ${site.home}`,
        ]
      : []),
    `records ${pins.release} as the release that runs; no session is ended, no service is started or stopped`,
  ];
}

async function servicesOf({ site, definition, pins }: AdoptionQuestion): Promise<FoundService[]> {
  const listeners = Object.values(definition.listeners).map(({ service }) => service);
  const found: FoundService[] = [];
  for (const [name, { kind }] of Object.entries(definition.services)) {
    const gate = listeners.includes(name) ? site.ports[name] : undefined;
    const own = kind === "static" ? 0 : portOf(site, name);
    const ports: FoundService["ports"] = [];
    const add = async (port: number, use: "users" | "service"): Promise<void> => {
      const heldBy = await listenerOn(port);
      // What backout does not start listens there already, and goes on to.
      ports.push({ port, use, heldBy, taken: heldBy !== null && (use === "users" || kind !== "external") });
    };
    if (gate !== undefined) await add(gate, "users");
    for (const { service, port } of publicListeners(site, definition)) if (service === name) await add(port, "users");
    if (own !== 0 && own !== gate) await add(own, "service");
    const running = kind === "external" ? await runs(site, definition, name) : null;
    found.push({ name, kind, release: pins.services[name]?.release ?? pins.release, running, ports });
  }
  return found;
}

async function runs(site: Site, definition: SystemDefinition, service: string): Promise<boolean | null> {
  if (definition.services[service]?.control?.observe === undefined) return null;
  return targetOf(site, definition)
    .observe(service)
    .then(
      ({ running }) => running,
      () => null,
    );
}

async function listenerOn(port: number): Promise<string | null> {
  if (await isPortFree(port)) return null;
  const pid = holderOf(port);
  return pid === null ? "a process that cannot be seen from here" : `${commandLineOf(pid) || "a process"} (pid ${pid})`;
}
