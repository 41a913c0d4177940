/** Services and databases of a compose file. */
import { posix } from "node:path";
import { isMap, isScalar } from "yaml";
import { commandOfLine } from "./command-line.ts";
import { dockerfileFacts, endpointIn, leftOutOf, type DockerfileFacts } from "./dockerfile.ts";
import { firstOf, textOf, yamlOf } from "./files.ts";
import { InitFileError, portNumber, type Found, type FoundDatabase, type FoundService, type Value } from "./found.ts";

const NAMES = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const POSTGRES = /(?:^|\/)(?:postgres|postgis|timescaledb|pgvector|supabase-postgres)(?:[:@]|$)|\/postgres(?:ql)?[:@-]/;
/** Programs that keep no data of the system that backout could roll back, or are nobody's own. */
const STANDARD =
  /(?:^|\/)(redis|valkey|memcached|rabbitmq|nats|kafka|zookeeper|traefik|caddy|haproxy|mailhog|mailpit|adminer|pgadmin4|prometheus|grafana|jaeger)(?:[:@]|$)/;
const OTHER_DATABASES = /(?:^|\/)(mysql|mariadb|mongo|mssql|cassandra|elasticsearch|clickhouse)(?:[:@-]|$)/;
const SECRET = /(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASS|CREDENTIALS)(?:_|$)/i;

interface ComposeService {
  image?: string;
  build?: string | { context?: string; dockerfile?: string };
  command?: string | string[];
  entrypoint?: string | string[];
  ports?: (string | number | { target?: number; published?: number | string })[];
  expose?: (string | number)[];
  environment?: Record<string, unknown> | string[];
  env_file?: unknown;
  healthcheck?: { test?: string | string[]; disable?: boolean };
  depends_on?: string[] | Record<string, unknown>;
  volumes?: (string | { source?: string; target?: string })[];
}

type Read = Pick<Found, "services" | "databases" | "notes"> & { name: string | null; file: string };

/** @returns null without a compose file. @throws InitFileError */
export function readCompose(folder: string): Read | null {
  const file = firstOf(folder, NAMES);
  if (file === null) return null;
  const { document, value, lineAt } = yamlOf(textOf(folder, file) ?? "", file);
  const { name, services } = (value ?? {}) as { name?: string; services?: Record<string, ComposeService | null> };
  if (typeof services !== "object" || services === null || Array.isArray(services))
    throw new InitFileError(file, null, "it has no map of `services`");
  const read: Read = { name: name ?? null, file, services: [], databases: [], notes: [] };
  const given = document.get("services", true);
  const lines = new Map(
    isMap(given)
      ? given.items.map(({ key }) => [isScalar(key) ? String(key.value) : "", isScalar(key) && key.range ? lineAt(key.range[0]) : 1])
      : [],
  );
  for (const [service, described] of Object.entries(services)) {
    const from = `${file}, line ${lines.get(service) ?? 1}`;
    if (typeof described !== "object" || described === null || Array.isArray(described))
      throw new InitFileError(file, lines.get(service) ?? null, `service ${service} must be a map`);
    const image = described.image ?? "";
    const other = OTHER_DATABASES.exec(image)?.[1] ?? STANDARD.exec(image)?.[1];
    if (POSTGRES.test(image)) read.databases.push(databaseOf(service, described, from));
    else if (other !== undefined && described.build === undefined)
      read.notes.push(
        OTHER_DATABASES.test(image)
          ? `${service} (${image}) stays as it is: backout rolls back the data of PostgreSQL and SQLite, not of ${other}`
          : `${service} (${image}) stays as it is, outside of the system`,
      );
    else read.services.push(serviceOf(folder, service, described, from, read.notes));
    if (described.env_file !== undefined)
      read.notes.push(`${service}: env_file is not read; give settings with \`release add --config\`, and secrets under \`secrets\``);
  }
  return { ...read, services: read.services.map((service) => askedByOthers(service, read.services)) };
}

/** A service without a port listens all the same where another one names its address. */
function askedByOthers(service: FoundService, services: readonly FoundService[]): FoundService {
  if (service.site === true || service.health !== undefined) return service;
  const address = new RegExp(`(?:\\/\\/${service.name}(?=[:/?]|$)|(?:^|[@,\\s])${service.name}(?=:\\d))(?::(\\d+))?`);
  const texts = services.filter((other) => other !== service).flatMap(({ environment }) => Object.values(environment));
  const named = texts.map((value) => ("text" in value ? address.exec(value.text) : null)).find((match) => match !== null);
  if (named === undefined) return service;
  const inner = numberOf(named[1]);
  return { ...service, health: "tcp", ...(inner === undefined ? {} : { inner, port: inner }) };
}

function databaseOf(service: string, described: ComposeService, from: string): FoundDatabase {
  const environment = variablesOf(described);
  const user = environment["POSTGRES_USER"] ?? "postgres";
  const live = environment["POSTGRES_DB"] ?? user;
  const published = portsOf(described).find(({ inner }) => inner === 5432)?.published;
  return {
    name: live,
    live,
    engine: "postgres",
    from,
    hosts: [service],
    ...(published === undefined ? {} : { server: { host: "127.0.0.1", port: published, user } }),
  };
}

function serviceOf(root: string, name: string, described: ComposeService, from: string, notes: string[]): FoundService {
  const { build } = described;
  const context = typeof build === "object" ? (build.context ?? ".") : build;
  const folder = posix.normalize(context ?? ".").replace(/\/$/, "");
  const file = posix.join(folder, typeof build === "object" ? (build.dockerfile ?? "Dockerfile") : "Dockerfile");
  const dockerfile = context === undefined ? null : textOf(root, file);
  const facts = dockerfileFacts(dockerfile ?? "");
  if (facts.leftOut !== undefined) notes.push(leftOutOf(file, facts.leftOut));
  const [port] = portsOf(described);
  const command = commandIn(described, facts.command);
  // Another command of the same image, e.g. a worker's, need not listen where the image says.
  const sameProgram = described.command === undefined && described.entrypoint === undefined;
  const image: Partial<DockerfileFacts> = sameProgram || command?.some((word) => word.includes(String(facts.port))) === true ? facts : {};
  const environment = { ...facts.environment, ...variablesOf(described) };
  const health = endpointIn([described.healthcheck?.test ?? image.health ?? ""].flat().join(" "));
  const inner = port?.inner ?? numberOf(described.expose?.[0]) ?? image.port ?? health.port ?? numberOf(environment["PORT"]);
  const site = siteOf(described);
  if (site !== null)
    return {
      name,
      from,
      folder: site,
      site: true,
      public: true,
      environment: {},
      needs: [],
      ...(port === undefined ? {} : { port: port.published }),
    };
  return {
    name,
    from,
    folder,
    public: port !== undefined,
    environment: Object.fromEntries(Object.entries(environment).map(([key, text]) => [key, valueOf(key, text)])),
    needs: Array.isArray(described.depends_on) ? described.depends_on : Object.keys(described.depends_on ?? {}),
    ...(command === undefined ? {} : { command }),
    ...(dockerfile === null ? {} : { containerised: true as const }),
    ...(described.image === undefined || context !== undefined ? {} : { image: described.image }),
    ...(inner === undefined ? {} : { inner, port: port?.published ?? inner, health: health.path ?? "tcp" }),
  };
}

function commandIn({ entrypoint, command }: ComposeService, image: string[] | undefined): string[] | undefined {
  const words = (given: string | string[] | undefined): string[] =>
    given === undefined ? [] : typeof given === "string" ? commandOfLine(plain(given)) : given.map((word) => plain(String(word)));
  const said = [...words(entrypoint), ...words(command)];
  return said.length === 0 ? image : said;
}

/** A web server that only serves a folder which is mounted into it. */
function siteOf({ image, build, volumes = [] }: ComposeService): string | null {
  if (build !== undefined || !/(?:^|\/)(?:nginx|httpd)(?:[:@]|$)/.test(image ?? "")) return null;
  for (const volume of volumes) {
    const [source, target] = typeof volume === "string" ? volume.split(":") : [volume.source, volume.target];
    if (source?.startsWith(".") === true && /\/html\/?$|htdocs\/?$/.test(target ?? "")) return posix.normalize(source).replace(/\/$/, "");
  }
  return null;
}

function portsOf({ ports = [] }: ComposeService): { inner: number; published: number }[] {
  return ports.flatMap((port) => {
    const inner = typeof port === "object" ? port.target : numberOf(String(port).split(":").at(-1));
    const published = typeof port === "object" ? numberOf(port.published ?? port.target) : numberOf(String(port).split(":").at(-2) ?? port);
    return inner === undefined || published === undefined ? [] : [{ inner, published }];
  });
}

function numberOf(text: string | number | undefined): number | undefined {
  return text === undefined ? undefined : portNumber(plain(String(text)));
}

/** `${NAME:-default}` is its default here, and `$$` a dollar. */
function plain(text: string): string {
  return text.replaceAll(/\$\{\w+:?-([^}]*)\}/g, "$1").replaceAll("$$", () => "$");
}

function variablesOf({ environment = {} }: ComposeService): Record<string, string> {
  const pairs = Array.isArray(environment)
    ? environment.map((line): [string, string] => [
        line.split("=")[0]!,
        line.includes("=") ? line.slice(line.indexOf("=") + 1) : `\${${line}}`,
      ])
    : Object.entries(environment).map(([key, value]): [string, string] => [
        key,
        value === null ? `\${${key}}` : typeof value === "string" ? value : JSON.stringify(value),
      ]);
  return Object.fromEntries(pairs.map(([key, value]) => [key, plain(value)]));
}

/** What looks like a secret, or has no value here, is never written down. */
export function valueOf(key: string, text: string): Value {
  const withPassword = /^\w[\w+.-]*:\/\/[^/\s]*:[^/\s]*@/.test(text) && !/^postgres/.test(text);
  return SECRET.test(key) || text.includes("${") || withPassword ? { secret: key.toLowerCase() } : { text };
}
