import * as pulumi from "./pulumi.ts";
import type { Lineage } from "../config/plan.ts";
import { jsonText, type JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import { hideSecretConfig, requireNoOtherSecrets, secretKeys } from "../config/secret-config.ts";
import { keepSalt } from "../config/seal.ts";
import { makeSecrets } from "../config/secrets.ts";
import type { StackConfig } from "../config/schema.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { Service } from "./service.ts";
import { Constraints } from "./constraints.ts";
import { Database, type ByDatabase } from "./database.ts";
import { EmbeddedPostgres } from "./embedded-postgres.ts";
import { Fence } from "./fence.ts";
import { Flags } from "./flags.ts";
import { Open } from "./open.ts";
import { Plan } from "./plan.ts";
import { Finalize } from "./finalize.ts";
import { Start } from "./start.ts";
import { Snapshots } from "./snapshots.ts";
import { declarationsOf } from "../workloads/declarations.ts";
import { withSetup } from "../workloads/setup.ts";
import { TrafficGate } from "./traffic-gate.ts";
import { Verification } from "./verification.ts";

export interface RollbackStackArgs {
  /** The system's definition. */
  definition: SystemDefinition;
  /** The config, as returned by `parseConfig`. */
  config: StackConfig;
  /** The pins, as returned by `resolvePins`. */
  pins: Pins;
  /** The stack's site, as returned by `siteOf`. */
  site: Site;
  /**
   * Releases in the ledger's order, oldest first, as returned by `declaredOrder`; null or absent: the state's list of opened releases
   * decides.
   */
  order?: readonly string[] | null;
}

/**
 * A system whose deployments can be rolled back. Deploying, rolling back and undoing a rollback are the same graph; the pins say which:
 *
 *     plan → fence → snapshots → databases → constraints → flags, services → start → verification → open → finalize
 *
 * The order is explicit: every resource depends on all of the step before.
 *
 * @example
 * const declared = parseConfig(pulumi.runtime.allConfig());
 * const site = siteOf(declared, pulumi.getStack(), process.cwd());
 * const definition = await definitionOf(site);
 * new RollbackStack("shop", { declared, site, definition, pins: resolvePins(declared, definition) });
 */
export class RollbackStack extends pulumi.ComponentResource {
  readonly epoch: pulumi.Output<number>;
  /** The stack's id in its state, independent of its name and folder. */
  readonly stackId: pulumi.Output<string>;
  /** By database: what it descends from, in the form of a pin; `current`: no copy of anything. */
  readonly data: ByDatabase<pulumi.Output<string>>;
  /** The newest snapshots, of the last rollout that took any, with generation and database. */
  readonly snapshots: pulumi.Output<string[]>;
  /** By database: name of the last rollout's quarantine, to be pinned as `quarantine:<name>`; null: none. */
  readonly quarantines: ByDatabase<pulumi.Output<string | null>>;

  constructor(name: string, args: RollbackStackArgs, opts?: pulumi.ComponentResourceOptions) {
    super("backout:index:RollbackStack", name, {}, opts);
    const { definition, config } = args;
    if (!pulumi.isDryRun()) keepForUpdates(args.site, definition);
    const secret = secretKeys(pulumi.isConfigSecret);
    requireNoOtherSecrets(secret);
    const hidden = hideSecretConfig(args.pins, args.site, secret);
    const pinned = withSetup(hidden.pins, hidden.site, definition);
    const site = siteText(hidden.site, secret.length > 0);
    const pins = jsonText(pinned);
    const asked = { order: args.order ?? null, scope: config.scope ?? null };
    const after = (...resources: pulumi.Resource[]): pulumi.CustomResourceOptions => ({ parent: this, dependsOn: resources });

    const server = args.site.server?.embedded === true ? [new EmbeddedPostgres("server", { site }, { parent: this })] : [];
    const gate = new TrafficGate("gate", { site }, { parent: this });
    const exact = config.exact || process.env["BACKOUT_EXACT"] === "1";
    const { violations } = config;
    const plan = new Plan(
      "plan",
      { site, pins, exact, violations, newWrites: config.newWrites, freeze: config.freeze ?? null, asked },
      after(...server, gate),
    );
    const declarations = declarationsOf(args.site, definition, args.pins, after(plan));
    const fence = new Fence(
      "fence",
      { site, pins, newWrites: config.newWrites, reason: process.env["BACKOUT_REASON"] ?? null, asked },
      after(plan, ...declarations),
    );
    const { epoch } = fence;
    const snapshots = new Snapshots("snapshots", { site, epoch, take: fence.plan.take }, after(fence));
    const databases: Database[] = [];
    const names = Object.keys(definition.databases);
    for (const database of names) {
      const plan = fence.plan.databases.apply((plans) => plans[database]!);
      // One after another: their cut-overs are transactions of one session.
      databases.push(
        new Database(database, { site, epoch, pins, database, plan, newWrites: config.newWrites }, after(snapshots, ...databases)),
      );
    }
    const constraints =
      definition.constraints === undefined
        ? []
        : [new Constraints("constraints", { site, epoch, pins, violations }, after(snapshots, ...databases))];
    const data = [snapshots, ...databases, ...constraints];
    const flags = new Flags("flags", { site, epoch, flags: args.pins.flags }, after(...data));
    const services = Object.entries(pinned.services).map(
      ([service, pin]) => new Service(service, { site, epoch, service, pin }, after(...data)),
    );
    const start = new Start("start", { site, epoch, pins }, after(flags, ...services));
    const verification = new Verification("verification", { site, epoch, pins }, after(start));
    const open = new Open("open", { site, epoch, maintenance: args.pins.maintenance }, after(verification));
    new Finalize(
      "finalize",
      { site, epoch, backups: config.backups, standby: config.standby, pinned: pinnedNames(args.pins), order: asked.order },
      after(open),
    );

    this.epoch = epoch;
    this.stackId = gate.stackId;
    this.data = Object.fromEntries(names.map((database, index) => [database, databases[index]!.lineage.apply(lineageText)]));
    this.snapshots = snapshots.taken.apply((taken) =>
      taken.map(({ database, name, generation }) => `${name}@${generation} of ${database}`),
    );
    this.quarantines = Object.fromEntries(names.map((database, index) => [database, databases[index]!.quarantine]));
    this.registerOutputs({ epoch });
  }
}

function lineageText({ snapshot, quarantine }: Lineage): string {
  if (quarantine !== null) return `quarantine:${quarantine}`;
  return snapshot === null ? "current" : `${snapshot.name}@${snapshot.generation}`;
}

/** An update starts services with them and the next one compares them: a preview generates nothing. */
function keepForUpdates(site: Site, definition: SystemDefinition): void {
  keepSalt(site);
  makeSecrets(site, definition);
}

/** If it contains a password or secret configuration, all of it is a secret: encrypted in the state file, never shown. */
function siteText(site: Site, secret: boolean): pulumi.Input<JsonText<Site>> {
  const text = jsonText(site);
  return secret || site.server?.password !== undefined ? pulumi.secret(text) : text;
}

function pinnedNames(pins: Pins): string[] {
  return Object.values(pins.data).flatMap((pin) => {
    if (pin.kind === "current") return [];
    if (pin.kind === "quarantine") return [pin.name];
    const snapshot = pin.kind === "repair" ? pin.snapshot : pin;
    if (snapshot === null) return [];
    return [snapshot.generation === null ? snapshot.name : `${snapshot.name}@${snapshot.generation}`];
  });
}
