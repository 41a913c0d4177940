/** Rules for what a service runs: its program, health and database role. */
import { isAbsolute, normalize } from "node:path";
import { defaultDatabaseVariables } from "../environment.ts";
import type { ServiceDefinition, SystemDefinition } from "../system/definition.ts";
import type { Fail } from "./rule.ts";

export function wrongProgram(path: string, { kind, entry, command, cwd, build }: ServiceDefinition, fail: Fail): void {
  if (kind === "static" || kind === "external") {
    const given = Object.entries({ entry, command, cwd, build }).filter(([, value]) => value !== undefined);
    for (const [key, value] of given) fail(`${path}.${key}`, value, `a service of kind ${kind} has no program in its release: remove it`);
    return;
  }
  if (entry === undefined && command === undefined)
    fail(
      `${path}.entry`,
      entry,
      'must name the program inside the release folder; or name any program in `command`, e.g. ["python3", "app.py"]',
    );
  if (entry !== undefined && command !== undefined)
    fail(`${path}.command`, command, "a service has one program: remove `command` or `entry`");
  if (cwd !== undefined && (isAbsolute(cwd) || normalize(cwd).split("/")[0] === ".."))
    fail(`${path}.cwd`, cwd, "must be a folder inside the release folder, relative to it");
}

export function wrongControl(path: string, { kind, control }: ServiceDefinition, fail: Fail): void {
  if (kind !== "external" && control !== undefined)
    fail(`${path}.control`, "given", `only an external service is driven by one, this is of kind ${kind}: remove it`);
  if (control?.stop !== undefined && control.start === undefined)
    fail(`${path}.control.start`, undefined, "what `stop` stops must be started again: add a function");
}

export function wrongHealth(path: string, { health }: ServiceDefinition, fail: Fail): void {
  if (health === undefined) return;
  const ways = [health.path, health.command, health.tcp].filter((way) => way !== undefined);
  if (ways.length !== 1) fail(path, health, "must have exactly one of `path`, `command` and `tcp: true`");
  if (health.body !== undefined && health.path === undefined) fail(`${path}.body`, health.body, "belongs to `path`: remove it");
}

export function wrongRole(path: string, service: ServiceDefinition, { databases, secrets = {} }: SystemDefinition, fail: Fail): void {
  const { databaseRole: role, databaseSecret: secret, databases: own } = service;
  const onServer = own.filter((database) => databases[database]?.engine === "postgres");
  if (role === undefined && secret !== undefined)
    fail(`${path}.databaseSecret`, secret, "belongs to a role: name it in `databaseRole`, or remove it");
  if (role !== undefined && onServer.length === 0)
    fail(`${path}.databaseRole`, role, "needs a PostgreSQL database in the service's `databases`: add it, or remove the role");
  const password = secret ?? role;
  if (role !== undefined && password !== undefined && Object.hasOwn(secrets, password) && secrets[password]?.generate === true)
    fail(`secrets.${password}.generate`, true, `it is the password of the role ${role}, which exists already: it must be given`);
  if (service.command === undefined) return;
  const variables = defaultDatabaseVariables(own);
  for (const [database, variable] of variables)
    if (variables.some(([other, same]) => other !== database && same === variable))
      fail(`${path}.databases`, database, `another database has the variable ${variable}, too: rename one`);
}
