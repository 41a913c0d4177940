/** Looks at a folder and says what system is in it. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { RefusedError } from "../../config/errors.ts";
import { commandOfLine, onGivenPort } from "./command-line.ts";
import { readCompose, valueOf } from "./compose.ts";
import { databaseOfPackages, databaseOfUrl, withMigrations } from "./databases.ts";
import { dockerfileFacts, endpointIn, leftOutOf } from "./dockerfile.ts";
import { foldersIn, jsonOf, textOf } from "./files.ts";
import { plainName, type Found, type FoundDatabase, type FoundService, type Value } from "./found.ts";
import { inEnvironment, languageOf, type LanguageFacts } from "./languages.ts";

const FIRST_PORT = 8080;

export interface Look {
  /** Absolute. */
  folder: string;
  /** Name of the Pulumi project that is there. */
  project?: string;
  databaseUrl?: string;
}

/** @throws InitFileError for a file that is wrong; RefusedError where there is no service */
export function lookAt({ folder, project, databaseUrl }: Look): Found {
  const notes: string[] = [];
  const compose = readCompose(folder);
  notes.push(...(compose?.notes ?? []));
  const services = (compose?.services ?? []).map((service) => completed(folder, service, notes)).filter((service) => service !== null);
  if (services.length === 0) services.push(...fromProcfile(folder, notes));
  if (services.length === 0) services.push(...fromFolder(folder, ".", notes));
  if (services.length === 0) services.push(...foldersIn(folder).flatMap((name) => fromFolder(folder, name, notes)));
  if (services.length === 0) throw nothingIn(folder, notes);
  const system = plainName(project ?? compose?.name ?? packageName(folder) ?? basename(folder));
  const packages = [...new Set([".", ...services.map((service) => service.folder)])]
    .map((at) => (existsSync(join(folder, at)) ? (languageOf(join(folder, at))?.packages ?? "") : ""))
    .join("\n");
  const used = compose !== null && compose.databases.length > 0 ? [] : [databaseOfPackages(folder, system, packages)];
  const known =
    databaseUrl === undefined
      ? [...(compose?.databases ?? []), ...used.filter((one) => one !== null)]
      : [given(databaseUrl, folder, compose?.databases ?? [])];
  const databases = withMigrations(folder, known, system, notes).map((database) => ({ ...database, name: plainName(database.name) }));
  const listening = withPorts(dependentsFirst(services), notes);
  return { system, services: listening.map((service) => connected(service, databases, listening)), databases, notes };
}

/** The database of the url is the one that the compose file has under the same name, or its only one. */
function given(url: string, folder: string, databases: readonly FoundDatabase[]): FoundDatabase {
  const database = databaseOfUrl(url, folder);
  const same = databases.find(({ live }) => live === database.live) ?? (databases.length === 1 ? databases[0] : undefined);
  return { ...database, hosts: [...database.hosts, ...(same?.hosts ?? [])] };
}

function nothingIn(folder: string, notes: readonly string[]): RefusedError {
  return new RefusedError(
    [
      `${folder} holds no service: init looks for a compose file, a Dockerfile, a Procfile, package.json with a start script or a main file, ` +
        "pyproject.toml, requirements.txt, go.mod or index.html, here and in the folders directly below. " +
        "Run it in the folder of your system, or write the program by hand (docs/services.md). Nothing was written",
      ...notes,
    ].join("\n"),
  );
}

function packageName(folder: string): string | undefined {
  const text = textOf(folder, "package.json");
  return (text === null ? undefined : jsonOf<{ name?: string }>(text, "package.json").name) ?? languageOf(folder)?.name;
}

/** A service of the compose file with what its folder says of the program. */
function completed(root: string, service: FoundService, notes: string[]): FoundService | null {
  if (service.site === true || service.image !== undefined) return service;
  const facts = existsSync(join(root, service.folder)) ? languageOf(join(root, service.folder), below(service.folder)) : null;
  const { command: _command, ...rest } = service;
  if (facts?.site === true && service.command === undefined)
    return { ...rest, site: true, folder: join(service.folder, facts.folder ?? ".") };
  // A compiled program is where its build puts it, not where the image has it.
  const inImage = service.command?.[0]?.startsWith("/") === true || facts?.from.endsWith("go.mod") === true;
  const command = inImage ? (facts?.command ?? service.command) : (service.command ?? facts?.command);
  if (command === undefined) {
    notes.push(
      `${service.name} (${service.from}) is left out: no command is named there, in a Dockerfile or by a package file of ${service.folder}`,
    );
    return null;
  }
  const onPort = service.health === undefined && command.some((word) => word.includes("$PORT"));
  if (service.health === undefined && !onPort && facts?.listens === true)
    notes.push(
      `${service.name} (${service.from}) is taken for a worker, which does not listen: it has no \`ports\`, and no other service names its address`,
    );
  return {
    ...rest,
    ...(onPort ? { health: "tcp" } : {}),
    command: onGivenPort(inEnvironment(command, facts?.build), service.inner),
    ...(facts?.build === undefined ? {} : { build: facts.build }),
  };
}

const below = (folder: string): string => (folder === "." ? "" : `${folder}/`);

/** `web` serves users, everything else works in the background; `release` runs once, before a release. */
function fromProcfile(root: string, notes: string[]): FoundService[] {
  const text = textOf(root, "Procfile");
  if (text === null) return [];
  const facts = languageOf(root);
  return text.split("\n").flatMap((line, index): FoundService[] => {
    const [, name, rest] = /^([A-Za-z0-9_-]+):\s*(.+)$/.exec(line.trim()) ?? [];
    if (name === undefined || rest === undefined) return [];
    const from = `Procfile, line ${index + 1}`;
    if (name === "release") {
      notes.push(`${from}: \`${rest}\` runs before a release; migrations belong to \`migrate\` of the database`);
      return [];
    }
    const command = inEnvironment(commandOfLine(rest), facts?.build);
    return [
      {
        ...bare(name, from, "."),
        command,
        ...(facts?.build === undefined ? {} : { build: facts.build }),
        ...(name === "web" ? { public: true, health: "tcp" } : {}),
      },
    ];
  });
}

/** One service: the program of a Dockerfile, or of a language's files. */
function fromFolder(root: string, at: string, notes: string[]): FoundService[] {
  const folder = join(root, at);
  const facts = languageOf(folder, below(at));
  const dockerfile = textOf(folder, "Dockerfile");
  const image = dockerfileFacts(dockerfile ?? "");
  const name = at === "." ? serviceName(facts, root) : plainName(at);
  if (facts?.site === true && image.command === undefined)
    return [{ ...bare(name, facts.from, join(at, facts.folder ?? ".")), site: true, public: true }];
  const inImage = image.command?.[0]?.startsWith("/") === true || facts?.from.endsWith("go.mod") === true;
  const command = inImage ? (facts?.command ?? image.command) : (image.command ?? facts?.command);
  if (command === undefined) return [];
  if (image.leftOut !== undefined) notes.push(leftOutOf(`${below(at)}Dockerfile`, image.leftOut));
  const endpoint = endpointIn(image.health ?? "");
  const inner = image.port ?? endpoint.port;
  const listens = inner !== undefined || facts?.listens === true;
  return [
    {
      ...bare(
        name,
        image.command === undefined || facts === null ? (facts?.from ?? `${below(at)}Dockerfile`) : `${below(at)}Dockerfile`,
        at,
      ),
      environment: Object.fromEntries(Object.entries(image.environment).map(([key, value]) => [key, valueOf(key, value)])),
      command: onGivenPort(inEnvironment(command, facts?.build), inner),
      ...(facts?.build === undefined ? {} : { build: facts.build }),
      ...(listens ? { public: true, health: endpoint.path ?? "tcp" } : {}),
      ...(inner === undefined ? {} : { inner, port: inner }),
      ...(dockerfile === null ? {} : { containerised: true as const }),
    },
  ];
}

function serviceName(facts: LanguageFacts | null, root: string): string {
  return facts?.site === true ? "web" : plainName(facts?.name ?? basename(root));
}

function bare(name: string, from: string, folder: string): FoundService {
  return { name, from, folder, public: false, environment: {}, needs: [] };
}

/** What needs another service stops before it. */
function dependentsFirst(services: readonly FoundService[]): FoundService[] {
  const left = [...services];
  const sorted: FoundService[] = [];
  while (left.length > 0) {
    const next = left.findIndex(({ name }) => !left.some(({ needs }) => needs.includes(name)));
    sorted.push(...left.splice(Math.max(next, 0), 1));
  }
  return sorted;
}

/** What users reach stays where it is declared; every other service that listens gets a port that nothing else has. */
function withPorts(services: readonly FoundService[], notes: string[]): FoundService[] {
  const taken = new Set<number>();
  const ports = new Map<FoundService, number>();
  const listening = services.filter(({ health, site }) => health !== undefined || site === true);
  const rank = ({ port, public: open }: FoundService): number => (port === undefined ? 2 : open ? 0 : 1);
  for (const service of listening.sort((one, other) => rank(one) - rank(other))) {
    let port = service.port ?? FIRST_PORT;
    while (taken.has(port)) port++;
    if (service.public && service.port !== undefined && port !== service.port)
      notes.push(`${service.name} gets port ${port}: another service has ${service.port}`);
    taken.add(port);
    ports.set(service, port);
  }
  return services.map((service) => (ports.has(service) ? { ...service, port: ports.get(service)! } : service));
}

/** Settings that name a database become its address, and names that only the compose file's network knows the port of that service here. */
function connected(service: FoundService, databases: readonly FoundDatabase[], others: readonly FoundService[]): FoundService {
  const entries = Object.entries(service.environment).flatMap(([key, value]): [string, Value][] => {
    const text = "text" in value ? value.text : "";
    const isUrl = /^(?:postgres(?:ql)?(?:\+\w+)?:|jdbc:postgresql:|sqlite3?:|file:)/.test(text);
    const database = isUrl ? (databases.find(({ live }) => text.includes(`/${live}`)) ?? databases[0]) : undefined;
    // backout gives it by itself.
    if (database !== undefined)
      return key === "DATABASE_URL" && databases.length === 1 && service.image === undefined ? [] : [[key, { database: database.name }]];
    if (key === "PORT" || (key === "DATABASE_URL" && databases.length === 1)) return [];
    return [[key, "text" in value ? (beforeOwnPort(key, text, service, others) ?? { text: onThisMachine(text, others) }) : value]];
  });
  return { ...service, environment: Object.fromEntries(entries) };
}

const ANY_ADDRESS = /(?:0\.0\.0\.0|\[::\]|\*|\+):$/;
const QUANTITY = /(?:^|_)(?:TIMEOUT|LIMIT|SIZE|MAX|MIN|TTL|MS|SECONDS|INTERVAL|COUNT|BYTES)(?:_|$)/i;

/** Where a program listens is the port that backout gives it, because its own belongs to the gate. @returns null: the variable names no such place */
function beforeOwnPort(key: string, text: string, { name, inner }: FoundService, services: readonly FoundService[]): Value | null {
  const [, before = "", port] = /^(|.*[:=\s])(\d+)\/?$/.exec(text) ?? [];
  if (inner === undefined || Number(port) !== inner || QUANTITY.test(key)) return null;
  const ofAnother = services.some((other) => other.name !== name && key.toLowerCase().startsWith(`${other.name.replaceAll("-", "_")}_`));
  const addressed = /[^\s/=:]:$/.test(before) && !ANY_ADDRESS.test(before);
  return ofAnother || addressed ? null : { beforePort: before.replace(ANY_ADDRESS, "127.0.0.1:") };
}

function onThisMachine(text: string, services: readonly FoundService[]): string {
  return text.replaceAll(/\/\/([A-Za-z0-9_-]+)(?::\d+)?(?=[/?]|$)/g, (found, host: string) => {
    const port = services.find(({ name }) => name === host)?.port;
    return port === undefined ? found : `//127.0.0.1:${port}`;
  });
}
