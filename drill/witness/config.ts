/** Configuration of one witness process. Secrets come from a file of their own or the environment, never from the command line. */
import { readFileSync, statSync } from "node:fs";
import type { Script } from "./script.ts";

export interface WitnessConfig {
  /** Public address of the system, e.g. `http://127.0.0.1:8080`. */
  baseUrl: string;
  script: Script;
  /** JSON object laid over `script.login.body`, in a file only its owner can read. */
  loginBodyFile?: string;
  /** Append-only record of everything asked and answered; an existing one is continued. */
  journalFile: string;
  /** Written when the witness stops. Default: `<journalFile>.summary.json`. */
  summaryFile: string;
  /** Writers at the same time. Each has rows of its own, so that the writes of one row are in order. Default 4. */
  concurrency: number;
  /** Pause of a writer between two requests, milliseconds. Default 10. */
  intervalMs: number;
  /** A request without an answer after this time is in doubt, milliseconds. Default 1000. */
  requestTimeoutMs: number;
  /** Path read to sample read availability, `{{id}}` allowed. Default: the path of the update. */
  readPath: string;
  /** Pause between two reads, milliseconds. Default 50. */
  readIntervalMs: number;
}

/** Environment variable with the login body as JSON, in place of `loginBodyFile`. */
const LOGIN_BODY_VARIABLE = "WITNESS_LOGIN_BODY";

export class WitnessConfigError extends Error {
  readonly file: string;
  readonly problem: string;
  constructor(file: string, problem: string) {
    super(`witness configuration ${file}: ${problem}`);
    this.file = file;
    this.problem = problem;
    this.name = "WitnessConfigError";
  }
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readJsonObject(file: string): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new WitnessConfigError(file, `cannot be read as JSON (${(error as NodeJS.ErrnoException).code ?? "not JSON"})`);
  }
  if (!isObject(parsed)) throw new WitnessConfigError(file, "must hold one JSON object");
  return parsed;
}

function stringRecord(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((entry) => typeof entry === "string");
}

function scriptProblem(script: unknown): string | null {
  if (!isObject(script)) return "script must be an object";
  for (const name of ["table", "key", "value"])
    if (typeof script[name] !== "string" || script[name] === "") return `script.${name} must be a name`;
  for (const name of ["login", "insert", "update", "delete"]) {
    const request = script[name];
    if (!isObject(request) || typeof request.method !== "string" || typeof request.path !== "string" || !request.path.startsWith("/"))
      return `script.${name} must have a method and a path that starts with "/"`;
    if (name !== "delete" && !stringRecord(request.body)) return `script.${name}.body must be an object of texts`;
    if (name === "login" && typeof request.tokenField !== "string") return "script.login.tokenField must name the field with the token";
  }
  return null;
}

export function loadConfig(file: string): WitnessConfig {
  const json = readJsonObject(file);
  const text = (name: string): string => {
    const value = json[name];
    if (typeof value !== "string" || value === "") throw new WitnessConfigError(file, `${name} must be a text`);
    return value;
  };
  const number = (name: string, fallback: number, least: number): number => {
    const value = json[name] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value < least)
      throw new WitnessConfigError(file, `${name} must be a number of at least ${least}, not ${JSON.stringify(value)}`);
    return value;
  };
  const problem = scriptProblem(json.script);
  if (problem !== null) throw new WitnessConfigError(file, problem);
  const script = json.script as Script;
  const baseUrl = text("baseUrl").replace(/\/$/, "");
  if (!URL.canParse(baseUrl)) throw new WitnessConfigError(file, `baseUrl must be an address, not ${JSON.stringify(baseUrl)}`);
  const journalFile = text("journalFile");
  return {
    baseUrl,
    script,
    ...(json.loginBodyFile === undefined ? {} : { loginBodyFile: text("loginBodyFile") }),
    journalFile,
    summaryFile: json.summaryFile === undefined ? `${journalFile}.summary.json` : text("summaryFile"),
    concurrency: Math.floor(number("concurrency", 4, 1)),
    intervalMs: number("intervalMs", 10, 0),
    requestTimeoutMs: number("requestTimeoutMs", 1000, 1),
    readPath: json.readPath === undefined ? script.update.path : text("readPath"),
    readIntervalMs: number("readIntervalMs", 50, 1),
  };
}

/** The login body with its secrets. @throws WitnessConfigError when the file can be read by others. */
export function loginBody(config: WitnessConfig): Record<string, string> {
  const fromEnvironment = process.env[LOGIN_BODY_VARIABLE];
  let secret: unknown = {};
  let source = LOGIN_BODY_VARIABLE;
  if (config.loginBodyFile !== undefined) {
    source = config.loginBodyFile;
    secret = readJsonObject(source);
    if ((statSync(source).mode & 0o077) !== 0) throw new WitnessConfigError(source, `others can read it; run: chmod 600 ${source}`);
  } else if (fromEnvironment !== undefined) {
    try {
      secret = JSON.parse(fromEnvironment);
    } catch {
      throw new WitnessConfigError(source, "is not JSON");
    }
  }
  if (!stringRecord(secret)) throw new WitnessConfigError(source, "must be an object of texts");
  return { ...config.script.login.body, ...secret };
}
