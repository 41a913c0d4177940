/** Rules for services, their listeners and databases, and references to these. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { portsOf } from "../default-ports.ts";
import { ledgersOf } from "../system/ledgers.ts";
import type { DatabaseDefinition, SystemDefinition } from "../system/definition.ts";
import { wrongControl, wrongHealth, wrongProgram, wrongRole } from "./programs.ts";
import { among, once, type Fail } from "./rule.ts";

export function wrongServices(system: SystemDefinition, fail: Fail): void {
  const { folder, services, databases, stopOrder } = system;
  if (!isAbsolute(folder) || !existsSync(folder)) fail("folder", folder, "must be the absolute path of the system's folder, which exists");
  if (Object.keys(services).length === 0) fail("services", {}, "must name at least one service");
  const isDatabase = among(fail, "database", Object.keys(databases));
  for (const [service, described] of Object.entries(services)) {
    described.databases.forEach((database, index) => isDatabase(`services.${service}.databases.${index}`, database));
    wrongProgram(`services.${service}`, described, fail);
    wrongControl(`services.${service}`, described, fail);
    wrongHealth(`services.${service}.health`, described, fail);
    wrongRole(`services.${service}`, described, system, fail);
  }
  const isService = among(fail, "service", Object.keys(services));
  stopOrder.forEach((service, index) => isService(`stopOrder.${index}`, service));
  once(fail, stopOrder, (index) => `stopOrder.${index}`);
}

export function wrongListeners({ services, listeners }: SystemDefinition, fail: Fail): void {
  const isService = among(fail, "service", Object.keys(services));
  for (const [listener, { service, routes = {} }] of Object.entries(listeners)) {
    isService(`listeners.${listener}.service`, service);
    if (Object.hasOwn(services, service) && service !== listener)
      fail(`listeners.${listener}`, listener, `a listener has the name of its service: call it ${service}`);
    if (Object.keys(routes).length > 0 && Object.hasOwn(services, service) && services[service]!.kind !== "static")
      fail(`listeners.${listener}.routes`, routes, `${service} is not a static service, so all paths go to it: remove them`);
    for (const [path, to] of Object.entries(routes)) {
      isService(`listeners.${listener}.routes.${path}`, to);
      if (!path.startsWith("/")) fail(`listeners.${listener}.routes`, path, "must begin with /");
      if (Object.hasOwn(services, to) && services[to]!.kind === "static")
        fail(`listeners.${listener}.routes.${path}`, to, "must be a service that listens; this one is static");
    }
  }
}

/** Requires each default port to be one that the system has. */
export function wrongPorts(system: SystemDefinition, fail: Fail): void {
  const isPort = among(fail, "port", [...new Set(portsOf(system).known)]);
  for (const name of Object.keys(system.ports ?? {})) isPort(`ports.${name}`, name);
}

export function wrongDatabases({ folder, databases }: SystemDefinition, fail: Fail): void {
  for (const [database, described] of Object.entries(databases)) wrongDatabase(folder, `databases.${database}`, described, fail);
}

function wrongDatabase(folder: string, path: string, described: DatabaseDefinition, fail: Fail): void {
  const { engine, ledger, migrations, tables, principalTable, migrate, migrateDown } = described;
  if (!ledgersOf(engine).includes(ledger)) fail(`${path}.ledger`, ledger, `must be ${ledgersOf(engine).join(" or ")} for engine ${engine}`);
  if (migrateDown !== undefined && migrate === undefined)
    fail(`${path}.migrateDown`, migrateDown, "needs `migrate` beside it: the command that applies what this one reverts");
  if (migrate !== undefined && migrations.length === 0)
    fail(
      `${path}.migrations`,
      [],
      "must name the folder or the migrations that `migrate` applies: a release names the newest one it needs",
    );
  const names = migrations.map(({ name }) => name);
  once(fail, names, (index) => `${path}.migrations.${index}.name`, "each migration needs a unique name");
  migrations.forEach((migration, index) => {
    const { scripts } = migration;
    const file = scripts === undefined ? join(migration.path, "migration.sql") : scripts === "tool" ? migration.path : scripts.up.file;
    if (existsSync(join(folder, file))) return;
    const what = scripts === undefined ? "a folder with a migration.sql" : "a file that exists";
    fail(`${path}.migrations.${index}.path`, migration.path, `must be ${what}; ${join(folder, file)} not found`);
  });
  wrongFlyway(folder, path, described, fail);
  once(fail, tables, (index) => `${path}.tables.${index}`);
  if (tables.length > 0) among(fail, "table", tables)(`${path}.principalTable`, principalTable);
}

/** Flyway runs an `R__` file again whenever it has changed; backout does not. */
function wrongFlyway(folder: string, path: string, { layout, migrate, migrations: [first] }: DatabaseDefinition, fail: Fail): void {
  if (layout !== "flyway" || migrate !== undefined || first === undefined) return;
  const place = dirname(join(folder, first.path));
  const repeated = existsSync(place) ? readdirSync(place).filter((name) => /^R__.+\.sql$/.test(name)) : [];
  if (repeated.length > 0)
    fail(`${path}.migrate`, undefined, `only Flyway itself runs ${repeated.join(", ")}: name the command that does, e.g. "flyway migrate"`);
}

/** Other references to a service or a database. */
export function wrongReferences(system: SystemDefinition, fail: Fail): void {
  const isService = among(fail, "service", Object.keys(system.services));
  const isDatabase = among(fail, "database", Object.keys(system.databases));
  isDatabase("flags.database", system.flags?.database);
  isDatabase("auditEntry.database", system.auditEntry?.database);
  isDatabase("constraintRecords.database", system.constraintRecords?.database);
  for (const [constraint, { database }] of Object.entries(system.constraints ?? {}))
    isDatabase(`constraints.${constraint}.database`, database);
  system.effects.forEach(({ service, database }, index) => {
    isService(`effects.${index}.service`, service);
    isDatabase(`effects.${index}.database`, database);
  });
}
