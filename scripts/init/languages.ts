/** How the program in a folder is prepared and started, by its language: Node, Python, Go, or files for a browser. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { commandOfLine, rewritten } from "./command-line.ts";
import { firstOf, jsonOf, textOf } from "./files.ts";

export interface LanguageFacts {
  /** The file it was found by. */
  from: string;
  name?: string;
  command?: string[];
  build?: string;
  site?: true;
  /** It serves users over HTTP. */
  listens?: true;
  /** Folder of the files, relative to the one that was looked at. */
  folder?: string;
  /** Text that names the packages that it uses. */
  packages: string;
}

interface PackageFile {
  name?: string;
  main?: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** Programs that a Python environment brings. */
const OF_PYTHON = /^(?:python3?|pip|gunicorn|uvicorn|hypercorn|daphne|flask|celery|rq|dramatiq|alembic|fastapi|waitress-serve)$/;

/** @param folder absolute. @param at the same, as a person reads it: `` or `api/`. @returns null where it holds no known program */
export function languageOf(folder: string, at = ""): LanguageFacts | null {
  return node(folder, at) ?? python(folder, at) ?? go(folder, at) ?? siteIn(folder, at);
}

function node(folder: string, at: string): LanguageFacts | null {
  const text = textOf(folder, "package.json");
  if (text === null) return null;
  const { name, main, scripts = {}, dependencies = {}, devDependencies = {} } = jsonOf<PackageFile>(text, `${at}package.json`);
  const packages = Object.keys({ ...dependencies, ...devDependencies }).join("\n");
  const found = { from: `${at}package.json`, ...(name === undefined ? {} : { name }), packages };
  const entry = [main, "server.js", "index.js", "app.js", "server.ts", "main.ts"].find(
    (file) => file !== undefined && existsSync(join(folder, file)) && !isProgram(textOf(folder, file)),
  );
  const command = scripts["start"] === undefined ? (entry === undefined ? null : ["node", entry]) : started(scripts["start"]);
  const build = nodeBuild(folder, scripts["build"] !== undefined, Object.keys(dependencies).length > 0);
  if (command !== null)
    return { ...found, command, ...(build === null ? {} : { build }), ...(isWorker(packages) ? {} : { listens: true as const }) };
  if (scripts["build"] !== undefined && existsSync(join(folder, "index.html"))) return { ...found, site: true, folder: "dist" };
  return null;
}

/** Pulumi's program is no service of the system. */
export function isProgram(text: string | null): boolean {
  return text !== null && /from ["'](?:@pulumi\/|backout["'])|require\(["']@pulumi\//.test(text);
}

/** Node itself gets the signals that stop it; npm in front of it is only for what needs a shell. */
function started(script: string): string[] {
  const words = commandOfLine(script);
  return words[0] === "node" ? words : ["npm", "start"];
}

function isWorker(packages: string): boolean {
  return (
    /^(?:bullmq|bull|agenda|graphile-worker|pg-boss)$/m.test(packages) &&
    !/^(?:express|fastify|koa|hono|next|@nestjs\/core)$/m.test(packages)
  );
}

function nodeBuild(folder: string, builds: boolean, depends: boolean): string | null {
  const lock = firstOf(folder, ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"]);
  const tool = lock === "yarn.lock" ? "yarn" : lock === "pnpm-lock.yaml" ? "pnpm" : "npm";
  const install = lock === null ? (depends ? "npm install" : null) : tool === "npm" ? "npm ci" : `${tool} install --frozen-lockfile`;
  if (!builds) return install;
  return [...(install === null ? [] : [install]), `${tool} run build`].join(" && ");
}

function python(folder: string, at: string): LanguageFacts | null {
  const file = firstOf(folder, ["pyproject.toml", "requirements.txt", "manage.py"]);
  if (file === null) return null;
  const packages = ["requirements.txt", "pyproject.toml"].map((name) => textOf(folder, name) ?? "").join("\n");
  const name = /^name\s*=\s*["']([^"']+)["']/m.exec(textOf(folder, "pyproject.toml") ?? "")?.[1];
  const served = serverOf(folder, packages);
  const build = pythonBuild(folder);
  return {
    from: `${at}${file}`,
    ...(name === undefined ? {} : { name }),
    packages,
    ...(build === null ? {} : { build }),
    ...(served === null ? {} : { command: inEnvironment(served.command, build), ...(served.listens ? { listens: true as const } : {}) }),
  };
}

/** The web server of a Python program, by its framework. */
function serverOf(folder: string, packages: string): { command: string[]; listens: boolean } | null {
  const uses = (name: string): boolean => new RegExp(`(^|["'\\s])${name}\\b`, "im").test(packages);
  const web = (line: string): { command: string[]; listens: boolean } => ({ command: ["sh", "-c", `exec ${line}`], listens: true });
  if (existsSync(join(folder, "manage.py"))) {
    const project = readdirSync(folder).find((name) => existsSync(join(folder, name, "wsgi.py")));
    return uses("gunicorn") && project !== undefined
      ? web(`gunicorn --bind 127.0.0.1:$PORT ${project}.wsgi`)
      : web("python3 manage.py runserver --noreload 127.0.0.1:$PORT");
  }
  for (const file of ["app.py", "main.py", "wsgi.py", "server.py"]) {
    const text = textOf(folder, file);
    const [, variable, framework] = /^(\w+)(?:\s*:\s*\w+)?\s*=\s*(?:\w+\.)?(Flask|FastAPI|Starlette)\(/m.exec(text ?? "") ?? [];
    if (variable === undefined) continue;
    const app = `${file.slice(0, -".py".length)}:${variable}`;
    if (framework !== "Flask") return web(`uvicorn --port $PORT ${app}`);
    return uses("gunicorn") ? web(`gunicorn --bind 127.0.0.1:$PORT ${app}`) : web(`flask --app ${app} run --port $PORT`);
  }
  const entry = firstOf(folder, ["main.py", "app.py", "server.py", "worker.py"]);
  return entry === null ? null : { command: ["python3", entry], listens: /http|socket/.test(textOf(folder, entry) ?? "") };
}

function pythonBuild(folder: string): string | null {
  if (existsSync(join(folder, "uv.lock"))) return "uv sync --frozen";
  const install = /\S/.test(textOf(folder, "requirements.txt") ?? "")
    ? "-r requirements.txt"
    : /^\[(?:build-system|tool\.poetry)\]/m.test(textOf(folder, "pyproject.toml") ?? "")
      ? "."
      : null;
  return install === null ? null : `python3 -m venv .venv && .venv/bin/pip install ${install}`;
}

/** The command with the programs of the environment that the build makes. */
export function inEnvironment(command: readonly string[], build: string | null | undefined): string[] {
  const made = build?.includes(".venv") === true || build?.startsWith("uv ") === true;
  return rewritten(command, (name) => (made && OF_PYTHON.test(name) ? `./.venv/bin/${name}` : name === "python" ? "python3" : name));
}

function go(folder: string, at: string): LanguageFacts | null {
  const text = textOf(folder, "go.mod");
  if (text === null) return null;
  const name = /^module\s+\S*?([^/\s]+)\s*$/m.exec(text)?.[1];
  const main = mainPackage(folder);
  if (main === null) return null;
  const listens = main.text.includes("net/http") || /\bgin|echo|fiber|chi\b/.test(text);
  return {
    from: `${at}go.mod`,
    ...(name === undefined ? {} : { name }),
    packages: text,
    build: `go build -o app ${main.path}`,
    command: ["./app"],
    ...(listens ? { listens: true as const } : {}),
  };
}

function mainPackage(folder: string): { path: string; text: string } | null {
  const commands = existsSync(join(folder, "cmd")) ? readdirSync(join(folder, "cmd")).map((name) => join("cmd", name)) : [];
  for (const path of ["", ...commands.sort()]) {
    const files = existsSync(join(folder, path)) ? readdirSync(join(folder, path)).filter((name) => name.endsWith(".go")) : [];
    const text = files.map((name) => textOf(folder, path, name) ?? "").join("\n");
    if (/^package main$/m.test(text)) return { path: path === "" ? "." : `./${path}`, text };
  }
  return null;
}

function siteIn(folder: string, at: string): LanguageFacts | null {
  const inside = firstOf(folder, ["index.html", "public/index.html"]);
  if (inside === null) return null;
  return { from: `${at}${inside}`, packages: "", site: true, folder: inside === "index.html" ? "." : "public" };
}
