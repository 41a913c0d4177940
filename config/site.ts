/** The site of a stack: its folder, server, ports and definition. Every resource of the provider and every verb uses one. */
// Longer than 300 lines: all names and places of a stack, which many files look up here.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { own } from "./own.ts";
import { stateDatabaseName, derivedName, secretVariable } from "./names.ts";
import type { Endpoint } from "./endpoint.ts";
import { serverRunner } from "../processes/run-as.ts";
import { layoutOf, locate } from "./server-home.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { GateTraffic } from "./system/traffic.ts";
import { loadSystem } from "./load-system.ts";
import type { ProgramContext } from "./program.ts";
import { checkDefinition } from "./definition.ts";
import type { StoreKey } from "./store.ts";
import type { StackConfig, ServerDeclaration } from "./schema.ts";

export type Server = ServerDeclaration & { password?: string };

/** Where a stack lives: its folder, server, ports and definition. */
export interface Site {
  /** Name of the stack. */
  stack: string;
  /** Name of the stack's home and roles. @default the stack's name */
  name?: string;
  /** Name of the system. */
  system: string;
  /** Absolute path of the program that declares the system; null for the systems that come with backout. */
  module: string | null;
  /** What the program is loaded with. */
  program?: Pick<ProgramContext, "project" | "config" | "plain">;
  /** Folder of the Pulumi project: paths of the ledger are relative to it. */
  project: string;
  /** Folder of everything this stack keeps on this machine: processes, gate, exports, embedded server. */
  home: string;
  /** Where services run. */
  target: StackConfig["target"];
  /** Absent if every database of the system is a SQLite file. */
  server?: Server;
  /** Ports of the gate's listeners and of the services behind it, by name. */
  ports: Record<string, number>;
  /**
   * Public addresses and TLS files of the stack file, instead of the definition's. `private`: only backout reaches the system; no address is public and no
   * balancer is switched, as in a drill.
   */
  traffic?: GateTraffic | "private";
  /** Facts about the incident that only people know, for the record. */
  incident?: Record<string, string>;
  /** File of each SQLite database, absolute, by database of the definition; default: in `home`. */
  files: Record<string, string>;
  /** Live databases that backout did not create may be taken over. @default false */
  adopt?: boolean;
  /** Id of the stack whose state may be taken over. */
  takeOver?: string;
  /** Url of the artefact store; absent: artefacts stay in `home`. */
  store?: string;
  /** Access key of an S3 store; never stored in plain text. @default the environment's */
  storeKey?: StoreKey;
  /** Values of the stack file's secrets, by name; never stored in plain text. */
  secrets?: Record<string, string>;
  /** Values of secret configuration by their references in the pins; never stored. */
  secretConfig?: Record<string, string>;
}

/** Superuser of the embedded server. */
export const EMBEDDED_USER = "backout";
type Named = Pick<Site, "stack" | "system" | "name">;

/** Role of the stack's services: reads and writes rows, owns nothing. Of one stack only: another stack on the same server has its own. */
export function servicesRole(site: Named): string {
  return derivedName(roleBase(site), "_services");
}

/** Role that owns the live databases that the stack created, and everything in them. */
export function ownerRole(site: Named): string {
  return derivedName(roleBase(site), "_owner");
}

/** Roles that are let into a database before users: backout's services role, and services' own roles. */
export function admittedWith(site: Site, definition: SystemDefinition, database: string): { servicesRole: string; admits: string[] } {
  const own = rolesOf(definition).flatMap(({ role, databases }) => (databases.includes(database) ? [role] : []));
  return { servicesRole: servicesRole(site), admits: [...new Set([...(site.server?.admits ?? []), ...own])] };
}

/** The roles that services have of their own. */
export function rolesOf({ services }: Pick<SystemDefinition, "services">): { service: string; role: string; databases: string[] }[] {
  return Object.entries(services).flatMap(([service, { databaseRole, databases }]) =>
    databaseRole === undefined ? [] : [{ service, role: databaseRole, databases }],
  );
}

function roleBase({ stack, system, name = stack }: Named): string {
  return ["backout", ...new Set([system, name])]
    .join("_")
    .replaceAll(/[^A-Za-z0-9_]/g, "_")
    .toLowerCase();
}

/** @param program of the stack if `backout:system` names no other. */
export function siteOf(config: StackConfig, stack: string, project: string, program?: Omit<ProgramContext, "stack">): Site {
  const { file, ...loadedWith } = program ?? { file: null, project: "", config: {} };
  const home = process.env["BACKOUT_HOME"] ?? join(project, ".backout", "stacks", config.keptAs ?? stack);
  return {
    stack,
    ...(config.keptAs === undefined ? {} : { name: config.keptAs }),
    system: config.system ?? "",
    module: config.system === undefined ? file : null,
    ...(program === undefined || config.system !== undefined ? {} : { program: loadedWith }),
    project,
    home,
    target: config.target,
    ...(config.server === undefined ? {} : { server: withPassword(config.server, config.serverPassword) }),
    ports: config.ports,
    ...(process.env["BACKOUT_PRIVATE"] === "1"
      ? { traffic: "private" as const }
      : config.traffic === undefined
        ? {}
        : { traffic: config.traffic }),
    incident: config.incident,
    files: Object.fromEntries(Object.entries(config.files).map(([database, path]) => [database, resolve(project, path)])),
    ...(config.adopt ? { adopt: true } : {}),
    ...(Object.keys(config.secrets).length === 0 ? {} : { secrets: config.secrets }),
    ...(config.takeOver === undefined ? {} : { takeOver: config.takeOver }),
    ...(config.store === undefined ? {} : { store: config.store }),
    ...(config.storeKey === undefined ? {} : { storeKey: config.storeKey }),
  };
}

function withPassword(server: ServerDeclaration, password: string | undefined): Server {
  return password === undefined ? server : { ...server, password };
}

/** @throws where none is declared */
export function serverOf(site: Pick<Site, "server" | "system">): Server {
  if (site.server === undefined) throw new Error(`backout:server is missing: ${site.system} has a PostgreSQL database`);
  return site.server;
}

/** @throws ConfigErrors for a definition that cannot be loaded, or that is wrong */
export async function definitionOf({
  system,
  module,
  program,
  stack,
}: Pick<Site, "system" | "module" | "program" | "stack">): Promise<SystemDefinition> {
  if (module === null) return checkDefinition(await loadSystem(system));
  if (program?.plain !== undefined) return (await import("./program.ts")).plainDefinition(module, program.plain);
  // A state of before programs were the only description has none: its module exports `definition`.
  const loadedWith = program ?? { project: "", config: {} };
  return checkDefinition(await (await import("./program.ts")).describeProgram({ file: module, stack, ...loadedWith }));
}

/** The name of the system, and the ports that the stack leaves to its definition. */
export function named(site: Site, { name }: SystemDefinition, { ports }: Pick<StackConfig, "ports">): Site {
  return { ...site, system: site.system === "" ? name : site.system, ports };
}

export function serverHome(site: Site): string {
  return join(site.home, "postgres");
}

/** The server's endpoint for the administrative role. */
export function endpointOf(site: Site): Endpoint {
  const server = serverOf(site);
  if (server.embedded)
    return {
      host: "127.0.0.1",
      port: server.port,
      user: EMBEDDED_USER,
      passwordFile: layoutOf(locate(serverHome(site), serverRunner())).passwordFile,
    };
  const password = server.password ?? process.env["BACKOUT_SERVER_PASSWORD"];
  return {
    host: server.host,
    port: server.port,
    user: server.user,
    ...(password !== undefined
      ? { password }
      : server.passwordFile !== undefined
        ? { passwordFile: resolve(site.project, server.passwordFile) }
        : {}),
  };
}

/** Name of a live database on the server. */
export function liveName(site: Site, database: string): string {
  return site.server?.databases[database] ?? database.replaceAll("-", "_");
}

/** File of a live SQLite database. */
export function liveFile(site: Pick<Site, "home" | "files">, database: string): string {
  return site.files[database] ?? join(site.home, "data", `${database}.db`);
}

/** Folder of a dump: a snapshot's, or a quarantine's by its name. */
export function dumpFolder(site: Pick<Site, "home">, name: string): string {
  return join(site.home, "dumps", name);
}

/** The state file of a stack without a server. */
export function stateFile(site: Pick<Site, "home">): string {
  return join(site.home, "state", "state.db");
}

/** One state database per stack, beside its first live database. */
export function stateDatabase(site: Site, definition: SystemDefinition): string {
  return stateDatabaseName(liveName(site, Object.keys(definition.databases)[0] ?? site.system));
}

export function artefactFolder(site: Site, path: string): string {
  return isAbsolute(path) ? path : join(site.project, path);
}

/**
 * A secret by name: from the environment, the stack file, else from a file that only its owner can read, generated on first use. For backout's own
 * secrets; secrets.ts has those of a definition. It is never written in plain text to state, logs or argument lists.
 */
export function secretOf(site: Pick<Site, "home" | "secrets">, name: string): string {
  const given = givenSecret(site, name);
  if (given !== null) return given;
  const file = secretFile(site, name);
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600, flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  return readFileSync(file, "utf8").trim();
}

/** The value in the environment, else in the stack file. An empty variable counts as missing: pipelines set missing ones empty. */
export function givenSecret({ secrets }: Pick<Site, "secrets">, name: string): string | null {
  return process.env[secretVariable(name)] || own(secrets, name) || null;
}

/** The value in its file; null: no file. */
export function keptSecret(site: Pick<Site, "home">, name: string): string | null {
  const file = secretFile(site, name);
  return existsSync(file) ? readFileSync(file, "utf8").trim() || null : null;
}

export function secretFile(site: Pick<Site, "home">, name: string): string {
  return join(site.home, "secrets", name);
}

/** Whom a service connects as. */
export interface Login {
  role: string;
  password: string;
}

/** A database's address for services: a connection string, or the absolute path of a SQLite file. @param login absent: backout's services role */
export function databaseUrl(site: Site, definition: SystemDefinition, database: string, login?: Login): string {
  return definition.databases[database]?.engine === "sqlite" ? liveFile(site, database) : servicesUrl(site, database, login);
}

/** Connection string of the services for one PostgreSQL database. */
export function servicesUrl(
  site: Site,
  database: string,
  { role, password }: Login = { role: servicesRole(site), password: secretOf(site, "database") },
): string {
  const { host, port } = endpointOf(site);
  const at = isIPv6(host) ? `[${host}]` : host;
  return `postgresql://${encodeURIComponent(role)}:${encodeURIComponent(password)}@${at}:${port}/${encodeURIComponent(liveName(site, database))}`;
}

/** Name of the traffic gate's process in its record. */
export const GATE_PROCESS = "gate";

/** Folder of the traffic gate's process record and state. */
export function gateFolder(site: Pick<Site, "home">): string {
  return join(site.home, "gate");
}

export function gateStateFile(site: Pick<Site, "home">): string {
  return join(gateFolder(site), "state.json");
}
export function gatePassFile(site: Pick<Site, "home">): string {
  return join(gateFolder(site), "pass");
}
export function processFolder(site: Pick<Site, "home">): string {
  return join(site.home, "processes");
}
/** Copies of release folders in which programs run and builds are made. */
export function copiesFolder(site: Pick<Site, "home">): string {
  return join(site.home, "releases");
}
export function publishedFolder(site: Pick<Site, "home">, service: string): string {
  return join(site.home, "sites", service);
}

export function exportFolder(site: Pick<Site, "home">, runId: string, database: string): string {
  return join(site.home, "exports", runId, database);
}
