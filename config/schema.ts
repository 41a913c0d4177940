/**
 * The declared state: keys of namespace `backout` in `stacks/Pulumi.<stack>.yaml`, their types and what is allowed. Editors show the
 * descriptions: `json-schema.ts` makes their schema from this one.
 */
import { z } from "zod";
import { again, ENCRYPTED, name, onOff, orAs, port, QUOTED, releaseName, setting, snapshotName } from "./schema-values.ts";
import { storeKey, storeUrl } from "./store-schema.ts";

/** The exact build of one service. Image tags can move, so none is accepted. */
const artefactSchema = z
  .strictObject({
    path: name.optional().describe("Release folder, relative to the project."),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits (the sha256 of the release folder)")
      .optional()
      .describe("sha256 of the content of the folder `path`; `backout release add` computes it."),
    image: z
      .string()
      .regex(/^(?:[^\s@]+@)?sha256:[0-9a-f]{64}$/, "must name an image by digest (name@sha256:…): a tag can move")
      .optional()
      .describe("Image with digest, e.g. `registry.example/app@sha256:…`."),
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}$/, "must be a full 40-digit commit")
      .optional()
      .describe("Git commit the artefact was built from."),
    build: z
      .array(z.string())
      .min(1, "must name a program")
      .optional()
      .describe("Program with its arguments that prepares this release, instead of the definition's `build`."),
    config: z.record(name, setting).optional().describe("The release's own configuration; secrets by reference only."),
  })
  .refine((artefact) => artefact.path !== undefined || artefact.image !== undefined, "needs `path` with `sha256`, or `image` with a digest")
  .refine(
    (artefact) => artefact.path === undefined || artefact.sha256 !== undefined,
    "`path` needs `sha256`, so that exactly the released files run",
  )
  .refine(({ build, path }) => build === undefined || path !== undefined, "`build` needs a release folder: an image is built already")
  .meta({ anyOf: [{ required: ["path"] }, { required: ["image"] }], dependencies: { path: ["sha256"], build: ["path"] } });
export type Artefact = z.infer<typeof artefactSchema>;

const constraintState = z.enum(["enforced", "unvalidated", "dropped"]);

const ledgerReleaseSchema = z.strictObject({
  schema: z.record(name, name).default({}).describe("Newest migration the release needs, by database."),
  services: z.record(name, artefactSchema).describe("The exact build of each service: a folder with its sha256, or an image by digest."),
  flags: z.record(name, z.boolean()).optional().describe("Feature flags of the release, by name."),
  tag: name
    .optional()
    .describe("Version control tag of this state, e.g. `pre-deployment-20251121-0930`: recorded once, never computed again."),
  constraints: z.record(name, constraintState).optional().describe("Constraints that are not enforced while this release runs."),
});

const servicePinSchema = z.strictObject({
  release: releaseName.optional().describe("Release of this service alone."),
  config: z.record(name, setting.nullable()).optional().describe("Overrides of the ledger's configuration; `null` removes a setting."),
  run: onOff.optional().describe("Whether the service runs: `on` or `off`."),
  restart: z
    .number()
    .int()
    .min(1, "counts from 1")
    .optional()
    .describe("Raised by one, the service restarts although nothing else of it changes."),
});

const repairPinSchema = z
  .strictObject({
    repair: name.describe("Name of the repair."),
    snapshot: snapshotName.optional().describe("Snapshot that it reads."),
    with: z.record(name, z.string()).default({}).describe("Its arguments."),
    again: again.optional().describe("Raised by one, the repair runs once more."),
  })
  .describe("A repair in place.");
export type RepairPinText = z.input<typeof repairPinSchema>;
const dataPinSchema = z.union([
  snapshotName,
  repairPinSchema,
  z.strictObject({ snapshot: snapshotName, again }).describe("The same snapshot, restored once more."),
]);
export type DataPinText = z.infer<typeof dataPinSchema>;

const MODES = ["off", "read-only", "full"] as const;
const maintenanceMode = z.preprocess((value) => (value === false ? "off" : value), z.enum(MODES)).meta(orAs({ const: false }));
const maintenanceSchema = z
  .preprocess(
    (value) => (typeof value === "object" && value !== null ? value : { mode: value }),
    z.strictObject({ mode: maintenanceMode, message: z.string().optional().describe("What users read meanwhile.") }),
  )
  .meta(orAs({ enum: [...MODES, false] }));

/** No newer release may be deployed. Not a pin: setting or lifting it changes nothing that runs. */
const freezeSchema = z
  .preprocess(
    (value) => (value === false || value === "off" ? undefined : value),
    z
      .strictObject({
        reason: name,
        since: z.string().optional().describe("When it was set, for people."),
        until: name.optional().describe("Watch that lifts it when it has passed; absent: only `freeze --lift` does."),
      })
      .optional(),
  )
  .meta(orAs({ enum: ["off", false] }));
export type Freeze = NonNullable<z.infer<typeof freezeSchema>>;

/** The scope that the pins belong to, with its service for a scope of one service. */
const scopeSchema = z
  .preprocess(
    (value) => (value === "" || value === null ? undefined : typeof value === "string" ? { name: value } : value),
    z.strictObject({ name, service: name.optional() }).optional(),
  )
  .meta(orAs({ type: ["string", "null"] }));

const admits = z
  .array(name)
  .optional()
  .describe("Roles of services that do not use backout's role: let in together with it, before users.");
const liveNames = z
  .record(name, name)
  .default({})
  .describe("Name of the live database on the server, by database of the definition; default: the definition's name.");

/** The PostgreSQL server: the embedded default, or an existing one. */
const serverSchema = z.union([
  z.strictObject({
    embedded: z.literal(true),
    port,
    driver: z.enum(["template", "dump"]).default("template"),
    admits,
    databases: liveNames,
  }),
  z.strictObject({
    embedded: z.literal(false).default(false),
    host: name,
    port: port.default(5432),
    user: name.describe("backout's administrative role."),
    admits,
    passwordFile: z.string().optional().describe("File with the password of `user`, relative to the project."),
    driver: z
      .enum(["template", "dump", "in-place"])
      .default("dump")
      .describe("How snapshots are made; `in-place`: for a hosted database that cannot be renamed, backout connects as its owner."),
    databases: liveNames,
  }),
]);
export type ServerDeclaration = z.infer<typeof serverSchema>;

export const configSchema = z.strictObject({
  system: name.optional().describe("One of the systems that come with backout; absent: the one that the program declares."),
  keptAs: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits and `. _ -`, like the name of a stack")
    .optional()
    .describe("Name of the stack's home and roles; default: the stack's name. After `pulumi stack rename`: the old name."),
  adopt: z
    .boolean()
    .meta(QUOTED)
    .default(false)
    .describe("Take over live databases that backout did not create; their owner and grants stay as they are."),
  takeOver: name.optional().describe("Id of the stack whose state this one takes over; the refusal names it."),
  target: z.enum(["process", "docker"]).default("process").describe("Where services run: as processes of this machine, or as containers."),
  server: serverSchema
    .optional()
    .describe(
      "The PostgreSQL server: `{embedded: true, port}`, or `{host, port, user}`. Required if the system has a PostgreSQL database, and only then.",
    ),
  serverPassword: z
    .string()
    .meta(ENCRYPTED)
    .optional()
    .describe("Password of the administrative role on a server of your own; set it with `pulumi config set --secret`."),
  secrets: z
    .record(name, z.string().meta(ENCRYPTED))
    .default({})
    .describe(
      "Secrets of the definition by name, for everybody who works on the stack; set each with `pulumi config set --secret --path`.",
    ),
  store: storeUrl,
  storeKey,
  ports: z.record(name, port).default({}).describe("Port of each public listener and of each service behind it."),
  traffic: z
    .strictObject({
      listen: z
        .union([name, z.record(name, name)])
        .optional()
        .describe("Public address of the only listener (`0.0.0.0:8443`, IPv6 in brackets), or an address by listener."),
      tls: z
        .strictObject({
          certificate: name.describe("Certificate with its chain, in PEM."),
          key: name.describe("Its private key, in PEM."),
        })
        .optional()
        .describe("Files for HTTPS at the public addresses, relative to the project; read again when they change."),
    })
    .optional()
    .describe("Public addresses of backout's own proxy and its TLS files; instead of the definition's."),
  files: z.record(name, name).default({}).describe("File of each SQLite database, relative to the project."),
  releases: z
    .record(releaseName, ledgerReleaseSchema)
    .refine((releases) => Object.keys(releases).length > 0, "needs at least one release")
    .meta({ minProperties: 1 })
    .describe("The ledger: every release, oldest first. `backout release add` enters one."),
  release: releaseName.describe("Pin: the release that every service runs."),
  scope: scopeSchema.describe("The scope that the pins belong to, for the record; written by `rollback`, removed by `deploy`."),
  services: z.record(name, servicePinSchema).default({}).describe("Pin: overrides for single services."),
  data: z
    .union([dataPinSchema, z.record(name, dataPinSchema)])
    .default("current")
    .describe("Pin: `current`, a snapshot (`before-v4.0.0@2`), `quarantine:<database>`, or a repair; by database where there are several."),
  schema: z
    .enum(["keep", "mark", "down"])
    .default("keep")
    .describe("Pin: newer migrations when the release goes back and the data stays: keep, mark (ledger only) or down (down scripts)."),
  flags: z.record(name, z.boolean()).default({}).describe("Pin: feature flags by name."),
  constraints: z
    .record(
      name,
      z.union([
        constraintState,
        z.strictObject({
          state: constraintState,
          definition: name.describe("What follows `ADD CONSTRAINT <name>` when the constraint is enforced again."),
        }),
      ]),
    )
    .default({})
    .describe("Pin: state of single constraints."),
  violations: z
    .enum(["reject", "quarantine"])
    .default("reject")
    .describe("Rows that violate a constraint to enforce: `reject` stops, `quarantine` moves them to a side table."),
  maintenance: maintenanceSchema.default({ mode: "off" }).describe("Pin: `off`, or `{mode: read-only | full, message}`."),
  backups: z
    .strictObject({
      keep: z.number().int().min(1).default(3).describe("How many automatic `before-…` snapshots to keep per database."),
      quarantines: z.number().int().min(1).default(3).describe("How many quarantined databases to keep."),
      drop: z
        .array(z.string())
        .optional()
        .describe("Quarantines beyond that number to drop although they are the only copy, by name: `status` lists them."),
      snapshots: z
        .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/))
        .default([])
        .describe("Further snapshots besides the automatic ones."),
    })
    .default({ keep: 3, quarantines: 3, snapshots: [] })
    .describe("How many snapshots and quarantines to keep."),
  standby: z
    .enum(["deploy", "always", "never"])
    .default("deploy")
    .describe("Which snapshots get a standby copy: a verified copy, ready to be renamed in."),
  newWrites: z
    .enum(["export", "reapply", "reject"])
    .default("export")
    .describe(
      "Rows written since a snapshot that is restored: `export`, `reapply` what the older schema can hold, or `reject` the rollback.",
    ),
  alternatives: z
    .record(
      name,
      z.strictObject({
        title: z.string().optional(),
        target: z.enum(["process", "docker"]).optional().describe("Target of the services then."),
        ports: z.record(name, port).default({}).describe("Ports that differ then, by name."),
        fresh: z.strictObject({ serverPort: port }).optional().describe("A new stack, home and server: port of that server."),
      }),
    )
    .default({})
    .describe(
      "Other ways to finish a rollback that failed, by name: other ports or target for the services, or a new environment from the snapshot.",
    ),
  incident: z
    .record(name, z.string())
    .default({})
    .describe("Facts about the incident that only people know, for the record: commander, team, trigger, affected users."),
  blocked: z
    .record(releaseName, z.string())
    .default({})
    .describe("Releases that may not be pinned, with the incident; `unblock` removes one."),
  freeze: freezeSchema.describe("No newer release may be deployed: `{reason, until}`. Changes nothing that runs."),
  exact: z
    .boolean()
    .meta(QUOTED)
    .default(false)
    .describe("Count every row at risk in every preview instead of estimating from statistics."),
});
export type NewWrites = StackConfig["newWrites"];
/** What a stack file declares, validated and with its defaults: see [config](config.md). */
export type StackConfig = z.infer<typeof configSchema>;
export const CONFIG_KEYS = Object.keys(configSchema.shape);
