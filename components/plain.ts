/**
 * A system as other languages describe it: a program in Python, Go, C# or YAML has no functions to hand over, so everything is a plain value.
 * The schema validates it, and the package's schema, from which Pulumi makes the classes of those languages, is made from it.
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ConfigError, ConfigErrors, suggestion } from "../config/errors.ts";
import { described } from "../config/parse.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { defineSystem, type DatabaseArgs, type ServiceArgs } from "./define.ts";
import { command, process, site } from "./workloads.ts";

/** Where a stack's site finds `definePlain`. */
export const PLAIN_MODULE = fileURLToPath(import.meta.url);

const words = (what: string) => z.array(z.string().min(1)).min(1).optional().describe(what);
const texts = (what: string) => z.record(z.string(), z.string()).optional().describe(what);

const serviceSchema = z
  .strictObject({
    command: words('A program with its arguments, run in a copy of the release folder, e.g. ["python3", "app.py"]. It listens on PORT.'),
    build: words('A program with its arguments that prepares a release before anything stops, e.g. ["npm", "ci"].'),
    cwd: z.string().optional().describe("Working folder, relative to the release folder. Default: the release folder."),
    site: z.boolean().optional().describe("The release folder is a folder of static files, which the gate serves."),
    start: words("A command that starts the service, where something else runs it. Needs `stop`."),
    stop: words("A command that stops the service, where something else runs it. Needs `start`."),
    install: words("A command that puts a release in place without starting it, before `start`."),
    status: words("A command that exits with 0 while the service runs; beside `start` and `stop`."),
    health: z
      .string()
      .optional()
      .describe('Path of an endpoint that answers 200, e.g. "/healthz"; or "tcp": its port accepts connections.'),
    port: z.int().min(1).max(65_535).optional().describe("The port its users reach it at."),
    public: z.boolean().optional().describe("Users reach it through the gate. Default: true for a site, and where `health` is given."),
    environment: texts("Variables of its environment."),
    databaseUrls: texts("Variables of its environment that hold the url of a database: name of the variable to name of the database."),
    secrets: texts("Variables of its environment that hold a secret: name of the variable to name of the secret."),
    stopGraceSeconds: z.int().min(0).optional().describe("How long a stop waits after SIGTERM before SIGKILL. Default: 10."),
  })
  .meta({ id: "Service", description: "A service: exactly one of `command`, `site`, and `start` with `stop`." });

const databaseSchema = z
  .strictObject({
    engine: z.string().describe('"postgres" (its server is `backout:server` of the stack) or "sqlite" (its place is `backout:files`).'),
    migrations: z.string().optional().describe("Folder of the migrations, relative to the program."),
    migrate: z.string().optional().describe('Command that applies newer migrations, e.g. "alembic upgrade head".'),
    migrateDown: z.string().optional().describe("Command that reverts migrations."),
  })
  .meta({ id: "Database", description: "A database of the system." });

export const plainSchema = z.strictObject({
  services: z.record(z.string(), serviceSchema).describe("The services, by name; they stop in this order."),
  databases: z.record(z.string(), databaseSchema).optional().describe("The databases, by name."),
  generatedSecrets: z
    .array(z.string())
    .optional()
    .describe("Secrets that are made at random where nobody gives one. Every other must be given by the environment."),
});

export type PlainSystem = z.infer<typeof plainSchema>;
type PlainService = z.infer<typeof serviceSchema>;
type PlainDatabase = z.infer<typeof databaseSchema>;

/** What only a service that backout itself runs has, and what only one that something else runs. */
const OF_COMMAND = ["build", "cwd", "environment", "databaseUrls", "secrets"] as const;
const OF_START = ["install", "status"] as const;

/** @throws ConfigErrors naming each path, its value and what is allowed */
export function parsePlain(given: unknown): PlainSystem {
  const parsed = plainSchema.safeParse(given);
  if (!parsed.success) throw new ConfigErrors(described(parsed.error.issues, { schema: plainSchema, values: given, under: "" }));
  return parsed.data;
}

/**
 * The definition of a described system.
 * @param folder of the program
 * @throws ConfigErrors
 */
export function definePlain(name: string, given: unknown, folder: string): SystemDefinition {
  const plain = parsePlain(given);
  const { services, databases = {}, generatedSecrets = [] } = plain;
  const errors = Object.entries(services).flatMap(([service, one]) => wrongIn(service, one, Object.keys(databases)));
  if (errors.length > 0) throw new ConfigErrors(errors);
  const used = Object.values(services).flatMap(({ secrets = {} }) => Object.values(secrets));
  return defineSystem(
    name,
    {
      services: Object.fromEntries(Object.entries(services).map(([service, one]) => [service, serviceOf(one)])),
      databases: Object.fromEntries(Object.entries(databases).map(([database, one]) => [database, databaseOf(database, one)])),
      secrets: {
        ...Object.fromEntries(used.map((secret) => [secret, {}])),
        ...Object.fromEntries(generatedSecrets.map((secret) => [secret, { generate: true as const }])),
      },
    },
    folder,
  );
}

function wrongIn(service: string, one: PlainService, databases: string[]): ConfigError[] {
  const { command, site, start, stop, databaseUrls = {} } = one;
  const ways = [command !== undefined, site === true, start !== undefined || stop !== undefined].filter(Boolean).length;
  const whole = (start === undefined) === (stop === undefined);
  return [
    ...(ways === 1 && whole
      ? []
      : [
          new ConfigError(
            `services.${service}`,
            { command, site, start, stop },
            "must have one of `command`, `site`, and `start` with `stop`",
          ),
        ]),
    ...(ways === 1 && whole ? withoutEffect(service, one) : []),
    ...namedTwice(service, one),
    ...Object.entries(databaseUrls).flatMap(([variable, database]) =>
      databases.includes(database)
        ? []
        : [
            new ConfigError(
              `services.${service}.databaseUrls.${variable}`,
              database,
              `must be a database of the system: ${databases.join(", ") || "there is none"}${suggestion(database, databases)}`,
            ),
          ],
    ),
  ];
}

/** A secret, say, that reaches no service would still have to be given. */
function withoutEffect(service: string, one: PlainService): ConfigError[] {
  const wrong = (inputs: readonly (keyof PlainService)[], owner: string): ConfigError[] =>
    inputs
      .filter((input) => one[input] !== undefined)
      .map((input) => new ConfigError(`services.${service}.${input}`, one[input], `has no effect here: it belongs to ${owner}`));
  return [
    ...(one.command === undefined ? wrong(OF_COMMAND, "`command`") : []),
    ...(one.start === undefined ? wrong(OF_START, "`start` with `stop`") : []),
    ...(one.site === true ? wrong(["stopGraceSeconds"], "`command`, or `start` with `stop`") : []),
  ];
}

function namedTwice(service: string, one: PlainService): ConfigError[] {
  const seen = new Map<string, string>();
  return (["environment", "databaseUrls", "secrets"] as const).flatMap((input) =>
    Object.entries(one[input] ?? {}).flatMap(([variable, value]) => {
      const other = seen.get(variable);
      seen.set(variable, input);
      return other === undefined
        ? []
        : new ConfigError(`services.${service}.${input}.${variable}`, value, `\`${other}\` has this variable, too: remove one`);
    }),
  );
}

function serviceOf(one: PlainService): ServiceArgs {
  const { health, port, public: open, stopGraceSeconds, environment = {}, databaseUrls = {}, secrets = {} } = one;
  const environmentOf: ServiceArgs["environment"] = ({ databaseUrl, secret }) => ({
    ...environment,
    ...Object.fromEntries(Object.entries(databaseUrls).map(([variable, database]) => [variable, databaseUrl(database)])),
    ...Object.fromEntries(Object.entries(secrets).map(([variable, name]) => [variable, secret(name)])),
  });
  return {
    run: workloadOf(one),
    ...(health === undefined ? {} : { health }),
    ...(port === undefined ? {} : { port }),
    ...(open === undefined ? {} : { public: open }),
    ...(stopGraceSeconds === undefined ? {} : { stopGraceMs: stopGraceSeconds * 1000 }),
    ...(one.command === undefined ? {} : { environment: environmentOf }),
  };
}

function workloadOf({ command: program, build, cwd, start, stop, install, status }: PlainService): ServiceArgs["run"] {
  if (program !== undefined)
    return process({ command: program, ...(build === undefined ? {} : { build }), ...(cwd === undefined ? {} : { cwd }) });
  if (start === undefined || stop === undefined) return site();
  return command({ start, stop, ...(install === undefined ? {} : { install }), ...(status === undefined ? {} : { status }) });
}

function databaseOf(name: string, { engine, ...own }: PlainDatabase): DatabaseArgs {
  if (engine !== "postgres" && engine !== "sqlite")
    throw new ConfigErrors([new ConfigError(`databases.${name}.engine`, engine, "must be postgres or sqlite")]);
  return { engine, ...(own as Omit<DatabaseArgs, "engine">) };
}
