import * as pulumi from "./pulumi.ts";
import type { Lineage } from "../config/plan.ts";
import { jsonText, type JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import { hideSecretConfig, requireEncrypted, requireEncryptedKey, requireNoOtherSecrets, secretKeys } from "../config/secret-config.ts";
import { keepSalt } from "../config/seal.ts";
import { heldSecret, makeSecrets } from "../config/secrets.ts";
import { withDefaultPorts } from "../config/default-ports.ts";
import { declaredOrder, STACKS_VARIABLE } from "../config/ledger.ts";
import { parseConfig } from "../config/parse.ts";
import { startProvider } from "./provider-version.ts";
import { describedFolder, handOver, programConfig, programFile, type PlainProgram } from "../config/program.ts";
import { portable } from "../config/portable-site.ts";
import { sharesKeys } from "../config/stack-keys.ts";
import { resolvePins } from "../config/resolve-pins.ts";
import type { StackConfig } from "../config/schema.ts";
import { artefactFolder, named, siteOf, type Site } from "../config/site.ts";
import { projectAbove, stackFolderAbove } from "../config/stack-folder.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { Service } from "./service.ts";
import { Constraints } from "./constraints.ts";
import { Database, type ByDatabase } from "./database.ts";
import { EmbeddedPostgres } from "./embedded-postgres.ts";
import { Fence } from "./fence.ts";
import { Flags } from "./flags.ts";
import { Open } from "./open.ts";
import { Plan } from "./plan.ts";
import { recallKeys } from "./recall.ts";
import { Finalize } from "./finalize.ts";
import { Start } from "./start.ts";
import { Snapshots } from "./snapshots.ts";
import { defineSystem, type ServiceArgs, type SystemArgs } from "./define.ts";
import type { RunFacts } from "./run-facts.ts";
import { environmentOf, portOf } from "../workloads/starting.ts";
import { declarationsOf } from "../workloads/declarations.ts";
import { withSetup } from "../workloads/setup.ts";
import { TrafficGate } from "./traffic-gate.ts";
import { Verification } from "./verification.ts";

/**
 * A system whose deployments can be rolled back. Deploying, rolling back and undoing a rollback are the same graph; the pins of the stack's
 * config say which:
 *
 *     plan → fence → snapshots → databases → constraints → flags, services → start → verification → open → finalize
 *
 * The order is explicit: every resource depends on all of the step before.
 *
 * @example
 * new System("shop", {
 *   databases: { shop: postgres({ migrations: "db/migrations" }) },
 *   services: {
 *     api: { health: "/healthz", port: 8080, run: process({ command: ["node", "server.js"] }) },
 *     jobs: { run: ({ image, env, opts }) => new docker.Container("jobs", { image, envs: env }, opts) },
 *   },
 * });
 */
export class System extends pulumi.ComponentResource {
  /** Number of the last rollout. */
  readonly epoch: pulumi.Output<number>;
  /** The stack's id in its state, independent of its name and folder. */
  readonly stackId: pulumi.Output<string>;
  /** By database: what it descends from, in the form of a pin; `current`: no copy of anything. */
  readonly data: ByDatabase<pulumi.Output<string>>;
  /** The newest snapshots, of the last rollout that took any, with generation and database. */
  readonly snapshots: pulumi.Output<string[]>;
  /** By database: name of the last rollout's quarantine, to be pinned as `quarantine:<name>`; null: none. */
  readonly quarantines: ByDatabase<pulumi.Output<string | null>>;

  /**
   * @param declared what the stack declares for it. @default its config
   * @throws ConfigErrors for a definition, or a config of the stack, that is wrong
   */
  constructor(name: string, given: SystemArgs | SystemDefinition, opts?: pulumi.ComponentResourceOptions, declared?: Declared) {
    const folder = describedFolder() ?? process.cwd();
    const definition = defineSystem(name, given, folder);
    handOver(definition);
    super("backout:index:System", name, {}, opts);
    // Another release of the provider fails the program: what it made of these resources would be something else.
    if (declared === undefined) void startProvider().then(({ running }) => running);
    const args = declared ?? declaredOf(definition, folder);
    const { config } = args;
    if (declared === undefined)
      recallKeys(args.site, definition, projectAbove(process.env[STACKS_VARIABLE] ?? folder), pulumi.fullStackName());
    if (!pulumi.isDryRun()) keepForUpdates(args.site, definition);
    const secret = secretKeys(pulumi.isConfigSecret);
    requireNoOtherSecrets(secret);
    requireEncrypted(secret.includes("secrets") ? [] : Object.keys(config.secrets), args.site.project);
    requireEncryptedKey(config.storeKey !== undefined, secret, args.site.project);
    const hidden = hideSecretConfig(args.pins, args.site, secret);
    const pinned = withSetup(hidden.pins, hidden.site, definition);
    const site = siteText(hidden.site, secret.length > 0);
    const pins = jsonText(pinned);
    const asked = { order: args.order, scope: config.scope ?? null };
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
      { site, pins, newWrites: config.newWrites, reason: process.env["BACKOUT_REASON"] ?? null, asked, stackId: gate.stackId },
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
    const services = Object.entries(pinned.services).flatMap(([service, pin]): pulumi.Resource[] => {
      const run = runOf(given, service);
      if (run === null) return [new Service(service, { site, epoch, service, pin }, after(...data))];
      // Of a service that is off there is no resource.
      if (!pin.run) return [];
      // Some providers, Docker's for one, delete a resource before they make its replacement, unless this option says otherwise.
      return [run(factsOf(args, definition, service, epoch, { ...after(...data), deleteBeforeReplace: false }))];
    });
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

/** Whether an environment can be made without generating anything: a preview generates nothing. */
function hasSecrets(site: Site, definition: SystemDefinition): boolean {
  return ["database", ...Object.keys(definition.secrets ?? {})].every((name) => heldSecret(site, name) !== null);
}

/** What a stack declares for its system. */
export interface Declared {
  config: StackConfig;
  site: Site;
  pins: Pins;
  /** Releases in the ledger's order, oldest first; null: the state's list of opened releases decides. */
  order: string[] | null;
}

/** What the stack's config declares for the system. @param plain of a program in another language. @throws ConfigErrors */
export function declaredOf(definition: SystemDefinition, folder: string, plain?: { module: string; program: PlainProgram }): Declared {
  const raw = pulumi.allConfig();
  const declared = parseConfig(raw, secretKeys(pulumi.isConfigSecret));
  const config = withDefaultPorts(declared, definition);
  const project = process.env["BACKOUT_PROJECT"] ?? folder;
  const stacks = process.env[STACKS_VARIABLE] ?? stackFolderAbove(folder);
  const encrypted = Object.keys(raw).filter(pulumi.isConfigSecret);
  const program = {
    file: plain?.module ?? programFile(projectAbove(process.env[STACKS_VARIABLE] ?? folder)),
    project: pulumi.getProject(),
    config: plain === undefined ? programConfig(raw, encrypted) : {},
    ...(plain === undefined ? {} : { plain: plain.program }),
  };
  const site = named(siteOf(config, pulumi.getStack(), project, program), definition, config);
  const order = declaredOrder(stacks, pulumi.getStack(), Object.keys(config.releases));
  return { config, site, pins: resolvePins(config, definition, site), order };
}

/** The function that returns a service's own resource; null: backout's own resource puts its release in place. */
function runOf(given: SystemArgs | SystemDefinition, service: string): ((facts: RunFacts) => pulumi.Resource) | null {
  const { run } = (given.services as Record<string, Partial<ServiceArgs>>)[service] ?? {};
  return typeof run === "function" ? run : null;
}

function factsOf(
  { site, pins }: Declared,
  definition: SystemDefinition,
  service: string,
  epoch: pulumi.Output<number>,
  opts: pulumi.CustomResourceOptions,
): RunFacts {
  const pin = pins.services[service]!;
  const { image, path, commit } = pin.artefact;
  const labels = { system: definition.name, stack: site.stack, service, release: pin.release };
  return {
    service,
    system: definition.name,
    stack: site.stack,
    release: pin.release,
    ...(image === undefined ? {} : { image }),
    ...(path === undefined ? {} : { path: artefactFolder(site, path) }),
    ...(commit === undefined ? {} : { commit }),
    config: pin.config,
    port: portOf(site, service),
    env: pulumi.secret(
      pulumi.isDryRun() && !hasSecrets(site, definition)
        ? (pulumi.unknown as unknown as Record<string, string>)
        : environmentOf(site, definition, service, pin),
    ),
    labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`backout.${key}`, value])),
    epoch,
    opts,
  };
}

/** An update starts services with them and the next one compares them: a preview generates nothing. */
function keepForUpdates(site: Site, definition: SystemDefinition): void {
  keepSalt(site);
  makeSecrets(site, definition);
}

/** If it contains a password or secret configuration, all of it is a secret: encrypted in the state file, never shown. */
function siteText(site: Site, secret: boolean): pulumi.Input<JsonText<Site>> {
  // Data on this machine stays where it is: its state says where.
  const text = jsonText(sharesKeys(site) ? portable(site, process.env["BACKOUT_PROJECT"] ?? process.cwd()) : site);
  return secret || site.server?.password !== undefined || site.storeKey !== undefined ? pulumi.secret(text) : text;
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
