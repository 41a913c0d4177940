/** The stack file that `init` writes: where the databases are, and the ports. */
import { stringify } from "yaml";
import { NAMESPACE } from "../../config/errors.ts";
import { behindGate } from "../../config/default-ports.ts";
import { configOf } from "../../config/stack-text.ts";
import type { Found, FoundDatabase, FoundService } from "./found.ts";

/** Port of an embedded server, which nothing else is likely to use. */
const EMBEDDED_PORT = 54_330;

/** What backout's user on a server must be. */
export const ADMINISTRATOR = "an administrator (superuser, or CREATEROLE and CREATEDB)";

const COMMENTS: Record<string, string> = {
  server:
    "Where the databases are. The password is never written here in plain text, see backout:serverPassword in node_modules/backout/docs/config.md.",
  files: "The file of each SQLite database.",
  ports: "The port that users, or other services, reach each service at.",
};

/** The keys of the stack, without namespace. */
export function stackKeys({ services, databases }: Pick<Found, "services" | "databases">): Record<string, unknown> {
  const server = serverOf(databases.filter(({ engine }) => engine === "postgres"));
  const files = Object.fromEntries(databases.flatMap(({ name, file }) => (file === undefined ? [] : [[name, file]])));
  const ports = portsOf(services);
  return {
    ...(server === null ? {} : { server }),
    ...(Object.keys(files).length === 0 ? {} : { files }),
    ...(Object.keys(ports).length === 0 ? {} : { ports }),
  };
}

/** Of each service; and the one behind the gate, where the port that backout takes by itself is another service's. */
function portsOf(services: readonly FoundService[]): Record<string, number> {
  const ports = Object.fromEntries(services.flatMap(({ name, port }) => (port === undefined ? [] : [[name, port]])));
  const taken = new Set(Object.values(ports));
  for (const { name, port, site, public: open } of services) {
    if (port === undefined || !open || site === true) continue;
    const usual = behindGate(port);
    let behind = usual;
    while (taken.has(behind)) behind++;
    taken.add(behind);
    if (behind !== usual) ports[`${name}-upstream`] = behind;
  }
  return ports;
}

/** A server that is known, or the embedded one. @returns null: no PostgreSQL */
function serverOf(databases: readonly FoundDatabase[]): Record<string, unknown> | null {
  if (databases.length === 0) return null;
  const renamed = Object.fromEntries(
    databases.filter(({ name, live }) => name.replaceAll("-", "_") !== live).map(({ name, live }) => [name, live]),
  );
  const names = Object.keys(renamed).length === 0 ? {} : { databases: renamed };
  const known = databases.find(({ server }) => server !== undefined)?.server;
  return known === undefined ? { embedded: true, port: EMBEDDED_PORT, ...names } : { ...known, ...names };
}

export function stackText(keys: Record<string, unknown>): string {
  const lines = Object.entries(keys).flatMap(([key, value]) => [
    `  # ${COMMENTS[key]!}`,
    ...(key === "server" && (value as { user?: string }).user !== undefined
      ? [`  # The user is ${ADMINISTRATOR}, not the one that the services have.`]
      : []),
    ...stringify({ [`${NAMESPACE}:${key}`]: value })
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`),
  ]);
  return `${["config:", ...(lines.length === 0 ? ["  {}"] : lines)].join("\n")}\n`;
}

/** The keys that an existing stack file lacks, as lines for it. @throws StackFileError */
export function missingKeys(text: string, file: string, keys: Record<string, unknown>): string[] {
  const config = configOf(text, file);
  return Object.entries(keys)
    .filter(([key]) => config[`${NAMESPACE}:${key}`] === undefined)
    .map(([key, value]) => `${NAMESPACE}:${key}: ${JSON.stringify(value)}`);
}
