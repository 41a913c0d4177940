/** The text of the program that `init` writes. */
import type { Found, FoundDatabase, FoundService, Value } from "./found.ts";

const WIDTH = 140;

/** @param migrations the path of a folder as the program names it: relative to the program's own */
export function programText({ system, services, databases }: Found, migrations: (folder: string) => string): string {
  const containers = services.some(isContainer);
  const imports = [
    ...new Set([
      ...databases.map(({ engine }) => engine),
      ...services.flatMap(({ site, command }) => (site === true ? ["site"] : command === undefined ? [] : ["process"])),
    ]),
  ].sort();
  const secrets = secretsOf(services);
  // One example is enough.
  const example = services.find(({ containerised, command }) => containerised === true && command !== undefined);
  const lines = [
    `/** ${system}: what is deployed and rolled back as a whole. Written by the verb init, and yours from now on; the verb doctor checks it. */`,
    ...(containers ? ['import * as docker from "@pulumi/docker";'] : []),
    `import { ${[...imports, "System"].join(", ")} } from "backout";`,
    "",
    `new System(${quoted(system)}, {`,
    ...databasesLines(databases, migrations),
    ...(secrets.length === 0
      ? []
      : [
          "  // Each is given by the environment, e.g. BACKOUT_SECRET_API_KEY; `generate: true` makes one at random.",
          `  secrets: { ${secrets.map((name) => `${key(name)}: {}`).join(", ")} },`,
        ]),
    "  // A service stops before those that are listed below it.",
    "  services: {",
    ...services.flatMap((service) => serviceLines(service, service === example)),
    "  },",
    "});",
  ];
  return `${lines.join("\n")}\n`;
}

/** Names of the secrets that services have in their environment. */
export function secretsOf(services: readonly FoundService[]): string[] {
  const values = services.flatMap(({ environment }) => Object.values(environment));
  return [...new Set(values.flatMap((value) => ("secret" in value ? [value.secret] : [])))];
}

function databasesLines(databases: readonly FoundDatabase[], migrations: (folder: string) => string): string[] {
  if (databases.length === 0) return [];
  const [only, ...more] = databases;
  if (more.length === 0) return databaseLines("  databases: { ", only!, migrations, " },");
  return ["  databases: {", ...databases.flatMap((database) => databaseLines("    ", database, migrations, ",")), "  },"];
}

function databaseLines(
  before: string,
  { name, engine, from, migrations }: FoundDatabase,
  path: (folder: string) => string,
  after: string,
): string[] {
  const indent = /^ */.exec(before)![0];
  const begin = `${before}${key(name)}: ${engine}(`;
  if (migrations === undefined)
    return [`${indent}// From ${from}. With migrations: { migrations: "path/of/their/folder" }.`, `${begin})${after}`];
  const { folder, layout, migrate, migrateDown } = migrations;
  const runs = migrate === undefined ? "backout runs them" : "their tool runs them: check the command";
  const commands = Object.entries({ migrations: path(folder), migrate, migrateDown }).flatMap(([word, text]) =>
    text === undefined ? [] : [`${word}: ${quoted(text)}`],
  );
  return [`${indent}// From ${from}. Layout of the migrations: ${layout}; ${runs}.`, ...block(`${begin}{`, commands, `})${after}`)];
}

function isContainer({ command, site }: FoundService): boolean {
  return command === undefined && site !== true;
}

function serviceLines(service: FoundService, example: boolean): string[] {
  const { name, from, folder, command, build, health, site } = service;
  const release = `its release is ${folder === "." ? "a copy of this folder" : `a copy of ${folder}`}`;
  if (site === true) return [`    // From ${from}; ${release}.`, `    ${key(name)}: { run: site() },`];
  const parts = [...healthOf(health), ...(health !== undefined && !service.public ? ["public: false"] : []), ...environmentOf(service)];
  const comments = health === "tcp" ? ['    // Better than an open port is an endpoint that answers 200: health: "/healthz".'] : [];
  if (command === undefined)
    return [`    // From ${from}.`, ...comments, `    ${key(name)}: {`, ...filled("      ", parts), ...container(service), "    },"];
  const run = [`command: ${list(command)}`, ...(build === undefined ? [] : [`build: ${quoted(build)}`])];
  return [
    `    // From ${from}; ${release}.${health === undefined ? "" : " It listens on PORT."}`,
    ...comments,
    ...(example
      ? [
          '    // As a container: import * as docker from "@pulumi/docker", put DATABASE_URL into `environment`, and',
          ...container(service).map((line) => `    // ${line.slice(6)}`),
        ]
      : []),
    ...block(`    ${key(name)}: {`, [...parts, `run: process({ ${run.join(", ")} })`], "},"),
  ];
}

/** It shares the network of the machine, so that PORT and the database are where the environment says. */
function container({ name, health }: FoundService): string[] {
  const port = health === undefined ? "" : ", `PORT=${port}`";
  return [
    `      run: ({ image, env, ${health === undefined ? "" : "port, "}opts }) =>`,
    "        new docker.Container(",
    `          ${quoted(name)},`,
    `          { image: image!, networkMode: "host", envs: env.apply((all) => [...Object.entries(all).map((one) => one.join("="))${port}]) },`,
    "          opts,",
    "        ),",
  ];
}

function healthOf(health: string | undefined): string[] {
  return health === undefined ? [] : [`health: ${quoted(health)}`];
}

function environmentOf({ environment }: FoundService): string[] {
  const values = Object.values(environment);
  if (values.length === 0) return [];
  const uses = [
    ...(values.some((value) => "beforePort" in value) ? ["port"] : []),
    ...(values.some((value) => "database" in value) ? ["databaseUrl"] : []),
    ...(values.some((value) => "secret" in value) ? ["secret"] : []),
  ];
  const given = uses.length === 0 ? "" : `{ ${uses.join(", ")} }`;
  const variables = Object.entries(environment).map(([name, value]) => `${key(name)}: ${textOf(value)}`);
  const short = `environment: (${given}) => ({ ${variables.join(", ")} })`;
  if (short.length < WIDTH - 10) return [short];
  return [`environment: (${given}) => ({\n${filled("        ", variables).join("\n")}\n      })`];
}

function textOf(value: Value): string {
  if ("text" in value) return quoted(value.text);
  if ("beforePort" in value) return `\`${value.beforePort.replaceAll(/[`\\]|\$\{/g, "\\$&")}\${port}\``;
  return "database" in value ? `databaseUrl(${quoted(value.database)})` : `secret(${quoted(value.secret)})`;
}

/** On one line if it fits, else with the parts on lines of their own. */
function block(begin: string, parts: readonly string[], end: string): string[] {
  const indent = /^ */.exec(begin)![0];
  const short = `${begin} ${parts.join(", ")} ${end}`;
  return short.length <= WIDTH && !short.includes("\n") ? [short] : [begin, ...filled(`${indent}  `, parts), `${indent}${end}`];
}

/** As many parts on a line as it takes. */
function filled(indent: string, parts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const longer = `${last} ${part},`;
    if (last !== undefined && longer.length <= WIDTH && !longer.includes("\n")) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${part},`);
  }
  return lines;
}

function list(words: readonly string[]): string {
  return `[${words.map(quoted).join(", ")}]`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}
