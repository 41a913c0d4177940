/** The declared state: keys of namespace `backout` in `stacks/Pulumi.<stack>.yaml`, their types and what is allowed. */
import { z } from "zod";

/** Nothing that a terminal takes for a command, or that nobody sees. */
const name = z
  .string()
  .min(1)
  .max(1000, "must be at most 1000 characters")
  .regex(/^\P{C}*$/u, "must hold no control characters");

/** What a release may be called: it becomes part of names of files, databases and snapshots, and of commands that people type. */
const RELEASE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
const releaseName = z
  .string({ error: ({ input }) => (input === undefined ? undefined : "must be text: write the release's name in quotes") })
  .regex(
    RELEASE_NAME,
    "a release's name has letters, digits and . _ + - only, begins with a letter or digit, and is 100 characters long at most: rename it",
  );

/** YAML writes `off` and `on` as words or as booleans, depending on who parsed it. */
const onOff = z.preprocess((value) => (value === true ? "on" : value === false ? "off" : value), z.enum(["on", "off"]));

/** The exact build of one service. Tags move, so none is accepted. */
const artefactSchema = z
  .strictObject({
    /** Release folder, relative to the project. */
    path: name.optional(),
    /** sha256 over the folder's content: what `path` must hash to. */
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
    /** Configuration the release came with; secrets by reference only. */
    config: z.record(name, z.string()).optional(),
  })
  .refine((artefact) => artefact.path !== undefined || artefact.image !== undefined, "needs `path` with `sha256`, or `image` with a digest")
  .refine(
    (artefact) => artefact.path === undefined || artefact.sha256 !== undefined,
    "`path` needs `sha256`: what is run must be what was released",
  );
export type Artefact = z.infer<typeof artefactSchema>;

const constraintState = z.enum(["enforced", "unvalidated", "dropped"]);

const ledgerReleaseSchema = z.strictObject({
  /** Newest migration the release needs, by database. */
  schema: z.record(name, name).default({}),
  services: z.record(name, artefactSchema),
  flags: z.record(name, z.boolean()).optional(),
  /** Name under which version control knows this state, e.g. `pre-deployment-20251121-0930`: recorded once, never made up again. */
  tag: name.optional(),
  /** Constraints that are otherwise than enforced while this release runs. */
  constraints: z.record(name, constraintState).optional(),
});

const servicePinSchema = z.strictObject({
  release: releaseName.optional(),
  /** Over what the ledger recorded; `null` takes away what it did. */
  config: z.record(name, z.string().nullable()).optional(),
  run: onOff.optional(),
  /** Raised by one, the service is started anew although nothing else of it changes. */
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

/** Nothing newer may be deployed. It is no pin: setting or lifting it moves nothing. */
const freezeSchema = z.preprocess(
  (value) => (value === false || value === "off" ? undefined : value),
  z
    .strictObject({
      reason: name,
      /** When it was set, for people. */
      since: z.string().optional(),
      /** Watch that lifts it when it has passed; absent: a person does. */
      until: name.optional(),
    })
    .optional(),
);
export type Freeze = NonNullable<z.infer<typeof freezeSchema>>;

/** Which scope the pins are those of; with the service, where the scope is for one. */
const scopeSchema = z.preprocess(
  (value) => (value === "" || value === null ? undefined : typeof value === "string" ? { name: value } : value),
  z.strictObject({ name, service: name.optional() }).optional(),
);

const port = z.number().int().min(1).max(65535);

/** The PostgreSQL server: the embedded default, or one that exists. */
const serverSchema = z.union([
  z.strictObject({
    embedded: z.literal(true),
    port,
    driver: z.enum(["template", "dump"]).default("template"),
    /** Roles of services that do not use backout's: let in with it, before users are. */
    admits: z.array(name).optional(),
    /** Name of the live database on the server, by database of the definition; its own name unless given. */
    databases: z.record(name, name).default({}),
  }),
  z.strictObject({
    embedded: z.literal(false).default(false),
    host: name,
    port: port.default(5432),
    /** backout's administrative role. */
    user: name,
    /** Roles of services that do not use backout's: let in with it, before users are. */
    admits: z.array(name).optional(),
    passwordFile: z.string().optional(),
    /** `in-place`: for a hosted database that cannot be renamed, by its owner. */
    driver: z.enum(["template", "dump", "in-place"]).default("dump"),
    databases: z.record(name, name).default({}),
  }),
]);
export type ServerDeclaration = z.infer<typeof serverSchema>;

export const configSchema = z.strictObject({
  system: name,
  /** Module that exports the system's definition, relative to the project; absent for the systems that come with backout. */
  definition: name.optional(),
  /** Name under which home and roles of the stack are kept; the stack's own unless given. After `pulumi stack rename`: the one of before. */
  keptAs: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits and `. _ -`, as the name of a stack is")
    .optional(),
  /** Take over live databases that somebody else made and uses: named here, their owner and grants stay as they are. */
  adopt: z.boolean().default(false),
  /** Id of the stack whose record this one takes over; the refusal that asks for it names it. */
  takeOver: name.optional(),
  target: z.enum(["process", "docker"]).default("process"),
  /** Needed where the system has a PostgreSQL database, and only there. */
  server: serverSchema.optional(),
  /** Password of the administrative role on a server that is not embedded; set it with `pulumi config set --secret`. */
  serverPassword: z.string().optional(),
  /** Port of each public listener and of each service behind it. */
  ports: z.record(name, port).default({}),
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
        /** With other text than before: what follows `ADD CONSTRAINT <name>`. It counts when the constraint is brought back. */
        z.strictObject({ state: constraintState, definition: name }),
      ]),
    )
    .default({}),
  /** Rows that violate a constraint that is to be enforced: `reject` stops there, `quarantine` moves them to a side table. */
  violations: z.enum(["reject", "quarantine"]).default("reject"),
  maintenance: maintenanceSchema.default({ mode: "off" }),
  backups: z
    .strictObject({
      /** How many automatic `before-…` snapshots to keep per database. */
      keep: z.number().int().min(1).default(3),
      /** How many quarantined databases to keep. */
      quarantines: z.number().int().min(1).default(3),
      /** Quarantines beyond that number that go although they hold what no export does, by name: `status` lists them. */
      drop: z.array(z.string()).optional(),
      /** Snapshots to exist besides the automatic ones. */
      snapshots: z.array(z.string().regex(/^[a-z0-9][a-z0-9._+-]*$/i)).default([]),
    })
    .default({ keep: 3, quarantines: 3, snapshots: [] }),
  standby: z.enum(["deploy", "always", "never"]).default("deploy"),
  newWrites: z.enum(["export", "reapply", "reject"]).default("export"),
  /** Other ways to finish a rollback that failed, by name: another place for the services, or an environment made anew from the snapshot. */
  alternatives: z
    .record(
      name,
      z.strictObject({
        title: z.string().optional(),
        /** Where the services run then. */
        target: z.enum(["process", "docker"]).optional(),
        /** Ports that differ then, by name. */
        ports: z.record(name, port).default({}),
        /** A stack, a home and a server of their own: port of that server. */
        fresh: z.strictObject({ serverPort: port }).optional(),
      }),
    )
    .default({}),
  /** What only people know of the incident, for the record: commander, team, trigger, affected users. */
  incident: z.record(name, z.string()).default({}),
  blocked: z.record(releaseName, z.string()).default({}),
  freeze: freezeSchema,
  /** Count data at risk row by row in every preview instead of from statistics. */
  exact: z.boolean().default(false),
});
export type NewWrites = StackConfig["newWrites"];
export type StackConfig = z.infer<typeof configSchema>;
export const CONFIG_KEYS = Object.keys(configSchema.shape);
