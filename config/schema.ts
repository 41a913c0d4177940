/** The declared state: keys of namespace `backout` in `stacks/Pulumi.<stack>.yaml`, their types and what is allowed. */
import { z } from "zod";

/** Printable text without control characters. */
const name = z
  .string()
  .min(1)
  .max(1000, "must be at most 1000 characters")
  .regex(/^\P{C}*$/u, "must hold no control characters");

/** Name of a release: it becomes part of file, database and snapshot names, and of typed commands. */
const RELEASE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
const releaseName = z
  .string({ error: ({ input }) => (input === undefined ? undefined : "must be text: write the release's name in quotes") })
  .regex(
    RELEASE_NAME,
    "a release's name has letters, digits and . _ + - only, begins with a letter or digit, and is 100 characters long at most: rename it",
  );

/** YAML parsers read `off` and `on` as words or as booleans. */
const onOff = z.preprocess((value) => (value === true ? "on" : value === false ? "off" : value), z.enum(["on", "off"]));

/** The exact build of one service. Image tags can move, so none is accepted. */
const artefactSchema = z
  .strictObject({
    /** Release folder, relative to the project. */
    path: name.optional(),
    /** sha256 of the content of the folder `path`. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits (the sha256 of the release folder)")
      .optional(),
    /** Image with digest, e.g. `registry.example/app@sha256:…`. */
    image: z
      .string()
      .regex(/^(?:[^\s@]+@)?sha256:[0-9a-f]{64}$/, "must name an image by digest (name@sha256:…): a tag can move")
      .optional(),
    /** Git commit the artefact was built from. */
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}$/, "must be a full 40-digit commit")
      .optional(),
    /** Program with its arguments that prepares this release, instead of the definition's `build`. */
    build: z.array(z.string()).min(1, "must name a program").optional(),
    /** The release's own configuration; secrets by reference only. */
    config: z.record(name, z.string()).optional(),
  })
  .refine((artefact) => artefact.path !== undefined || artefact.image !== undefined, "needs `path` with `sha256`, or `image` with a digest")
  .refine(
    (artefact) => artefact.path === undefined || artefact.sha256 !== undefined,
    "`path` needs `sha256`, so that exactly the released files run",
  )
  .refine(({ build, path }) => build === undefined || path !== undefined, "`build` needs a release folder: an image is built already");
export type Artefact = z.infer<typeof artefactSchema>;

const constraintState = z.enum(["enforced", "unvalidated", "dropped"]);

const ledgerReleaseSchema = z.strictObject({
  /** Newest migration the release needs, by database. */
  schema: z.record(name, name).default({}),
  services: z.record(name, artefactSchema),
  flags: z.record(name, z.boolean()).optional(),
  /** Version control tag of this state, e.g. `pre-deployment-20251121-0930`: recorded once, never computed again. */
  tag: name.optional(),
  /** Constraints that are not enforced while this release runs. */
  constraints: z.record(name, constraintState).optional(),
});

const servicePinSchema = z.strictObject({
  release: releaseName.optional(),
  /** Overrides of the ledger's configuration; `null` removes a setting. */
  config: z.record(name, z.string().nullable()).optional(),
  run: onOff.optional(),
  /** Raised by one, the service restarts although nothing else of it changes. */
  restart: z.number().int().min(1, "counts from 1").optional(),
});

const snapshotName = z
  .string()
  .regex(
    /^(?:current|[a-z0-9][a-z0-9._+-]*(?:@[1-9][0-9]*)?|quarantine:\S(?:.*\S)?)$/i,
    "must be `current`, a snapshot (`before-v4.0.0` or, exactly, `before-v4.0.0@2`) or `quarantine:<database>`",
  );
const again = z.number().int().min(1, "counts from 1");
/** A repair in place: its name, the snapshot it reads, its arguments. */
const repairPinSchema = z.strictObject({
  repair: name,
  snapshot: snapshotName.optional(),
  with: z.record(name, z.string()).default({}),
  again: again.optional(),
});
export type RepairPinText = z.input<typeof repairPinSchema>;
const dataPinSchema = z.union([snapshotName, repairPinSchema, z.strictObject({ snapshot: snapshotName, again })]);
export type DataPinText = z.infer<typeof dataPinSchema>;

const maintenanceMode = z.preprocess((value) => (value === false ? "off" : value), z.enum(["off", "read-only", "full"]));
const maintenanceSchema = z.preprocess(
  (value) => (typeof value === "object" && value !== null ? value : { mode: value }),
  z.strictObject({ mode: maintenanceMode, message: z.string().optional() }),
);

/** No newer release may be deployed. Not a pin: setting or lifting it changes nothing that runs. */
const freezeSchema = z.preprocess(
  (value) => (value === false || value === "off" ? undefined : value),
  z
    .strictObject({
      reason: name,
      /** When it was set, for people. */
      since: z.string().optional(),
      /** Watch that lifts it when it has passed; absent: only `freeze --lift` does. */
      until: name.optional(),
    })
    .optional(),
);
export type Freeze = NonNullable<z.infer<typeof freezeSchema>>;

/** The scope that the pins belong to, with its service for a scope of one service. */
const scopeSchema = z.preprocess(
  (value) => (value === "" || value === null ? undefined : typeof value === "string" ? { name: value } : value),
  z.strictObject({ name, service: name.optional() }).optional(),
);

const port = z.number().int().min(1).max(65535);

/** The PostgreSQL server: the embedded default, or an existing one. */
const serverSchema = z.union([
  z.strictObject({
    embedded: z.literal(true),
    port,
    driver: z.enum(["template", "dump"]).default("template"),
    /** Roles of services that do not use backout's role: let in together with it, before users. */
    admits: z.array(name).optional(),
    /** Name of the live database on the server, by database of the definition. @default the definition's name */
    databases: z.record(name, name).default({}),
  }),
  z.strictObject({
    embedded: z.literal(false).default(false),
    host: name,
    port: port.default(5432),
    /** backout's administrative role. */
    user: name,
    /** Roles of services that do not use backout's role: let in together with it, before users. */
    admits: z.array(name).optional(),
    passwordFile: z.string().optional(),
    /** `in-place`: for a hosted database that cannot be renamed; backout connects as its owner. */
    driver: z.enum(["template", "dump", "in-place"]).default("dump"),
    databases: z.record(name, name).default({}),
  }),
]);
export type ServerDeclaration = z.infer<typeof serverSchema>;

export const configSchema = z.strictObject({
  /** One of the systems that come with backout; absent: the one that the program declares. */
  system: name.optional(),
  /** Module that exports the system's definition, relative to the project; absent for the systems that come with backout. */
  definition: name.optional(),
  /** Name of the stack's home and roles. After `pulumi stack rename`: the old name. @default the stack's name */
  keptAs: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits and `. _ -`, like the name of a stack")
    .optional(),
  /** Take over live databases that backout did not create; their owner and grants stay as they are. */
  adopt: z.boolean().default(false),
  /** Id of the stack whose state this one takes over; the refusal names it. */
  takeOver: name.optional(),
  target: z.enum(["process", "docker"]).default("process"),
  /** Required if the system has a PostgreSQL database, and only then. */
  server: serverSchema.optional(),
  /** Password of the administrative role on a server of your own; set it with `pulumi config set --secret`. */
  serverPassword: z.string().optional(),
  /** Port of each public listener and of each service behind it. */
  ports: z.record(name, port).default({}),
  /** Public addresses of backout's own proxy, and its TLS files, relative to the project; instead of the definition's. */
  traffic: z
    .strictObject({
      listen: z.union([name, z.record(name, name)]).optional(),
      tls: z.strictObject({ certificate: name, key: name }).optional(),
    })
    .optional(),
  /** File of each SQLite database, relative to the project. */
  files: z.record(name, name).default({}),
  releases: z.record(releaseName, ledgerReleaseSchema).refine((releases) => Object.keys(releases).length > 0, "needs at least one release"),
  release: releaseName,
  scope: scopeSchema,
  services: z.record(name, servicePinSchema).default({}),
  data: z.union([dataPinSchema, z.record(name, dataPinSchema)]).default("current"),
  schema: z.enum(["keep", "mark", "down"]).default("keep"),
  flags: z.record(name, z.boolean()).default({}),
  constraints: z
    .record(
      name,
      z.union([
        constraintState,
        /** A new definition: what follows `ADD CONSTRAINT <name>`. Used when the constraint is enforced again. */
        z.strictObject({ state: constraintState, definition: name }),
      ]),
    )
    .default({}),
  /** Rows that violate a constraint to enforce: `reject` stops, `quarantine` moves them to a side table. */
  violations: z.enum(["reject", "quarantine"]).default("reject"),
  maintenance: maintenanceSchema.default({ mode: "off" }),
  backups: z
    .strictObject({
      /** How many automatic `before-…` snapshots to keep per database. */
      keep: z.number().int().min(1).default(3),
      /** How many quarantined databases to keep. */
      quarantines: z.number().int().min(1).default(3),
      /** Quarantines beyond that number to drop although they are the only copy, by name: `status` lists them. */
      drop: z.array(z.string()).optional(),
      /** Further snapshots besides the automatic ones. */
      snapshots: z.array(z.string().regex(/^[a-z0-9][a-z0-9._+-]*$/i)).default([]),
    })
    .default({ keep: 3, quarantines: 3, snapshots: [] }),
  standby: z.enum(["deploy", "always", "never"]).default("deploy"),
  newWrites: z.enum(["export", "reapply", "reject"]).default("export"),
  /**
   * Other ways to finish a rollback that failed, by name: other ports or target for the services, or a new environment from the snapshot.
   */
  alternatives: z
    .record(
      name,
      z.strictObject({
        title: z.string().optional(),
        /** Target of the services then. */
        target: z.enum(["process", "docker"]).optional(),
        /** Ports that differ then, by name. */
        ports: z.record(name, port).default({}),
        /** A new stack, home and server: port of that server. */
        fresh: z.strictObject({ serverPort: port }).optional(),
      }),
    )
    .default({}),
  /** Facts about the incident that only people know, for the record: commander, team, trigger, affected users. */
  incident: z.record(name, z.string()).default({}),
  blocked: z.record(releaseName, z.string()).default({}),
  freeze: freezeSchema,
  /** Count every row at risk in every preview instead of estimating from statistics. */
  exact: z.boolean().default(false),
});
export type NewWrites = StackConfig["newWrites"];
export type StackConfig = z.infer<typeof configSchema>;
export const CONFIG_KEYS = Object.keys(configSchema.shape);
