/** A check that is an executable: what it is given, and how its answer is read. */
import { fileURLToPath } from "node:url";
import { dirname } from "node:path";
import { runProgram } from "../../processes/run-program.ts";
import { secretVariable, variablePart } from "../names.ts";
import type { CheckContext, CheckDefinition } from "../system/check.ts";
import { answerOf } from "./answer.ts";

export interface ProgramCheck {
  id: string;
  /** Absolute path. */
  file: string;
  writes: boolean;
  timeoutMs: number;
  databases: readonly string[];
  /** Services with a public listener. */
  services: readonly string[];
  secrets: readonly string[];
}

export function programCheck(check: ProgramCheck): CheckDefinition["run"] {
  return async (context) => {
    const databases = await connections(check, context);
    const secrets = Object.fromEntries(check.secrets.map((name) => [secretVariable(name), context.secret(name)]));
    const facts = factsFor(check, context, databases);
    const { timeoutMs } = check;
    const result = await runProgram({
      command: commandOf(check.file),
      folder: dirname(check.file),
      environment: { ...environmentFor(facts), ...secrets },
      input: JSON.stringify(facts),
      timeoutMs,
    });
    return answerOf(result, timeoutMs, [...passwords(databases), ...Object.values(secrets), context.passHeaders?.["x-backout-pass"] ?? ""]);
  };
}

/** A zx script runs in this Node with zx's functions as globals; anything else by itself. */
function commandOf(file: string): string[] {
  return file.endsWith(".mjs") ? [process.execPath, "--import", fileURLToPath(import.meta.resolve("zx/globals")), file] : [file];
}

async function connections({ databases, writes }: ProgramCheck, context: CheckContext): Promise<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const name of databases) {
    const url = await context.connection?.(name, { writes });
    if (url !== undefined) given[name] = url;
  }
  return given;
}

type Facts = ReturnType<typeof factsFor>;

/** On its standard input. */
function factsFor({ id, services }: ProgramCheck, context: CheckContext, databases: Record<string, string>) {
  const {
    release = "",
    scope = null,
    releases,
    running,
    flags,
    maintenance,
    baseline,
    recorded = null,
    dataRestored,
    open,
    counting,
    schema,
  } = context;
  return {
    check: id,
    release,
    releases,
    scope,
    databases,
    urls: Object.fromEntries(services.map((service) => [service, context.url(service)])),
    /** With these a request passes the closed gate. */
    headers: context.passHeaders ?? {},
    running,
    flags,
    maintenance,
    baseline,
    recorded,
    dataRestored,
    open,
    counting,
    schema,
  };
}

function environmentFor({ check, release, scope, databases, urls, headers, baseline }: Facts): Record<string, string> {
  const named = (prefix: string, values: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}_${variablePart(name)}`, value]));
  const only = Object.values(databases);
  return {
    BACKOUT_CHECK: check,
    BACKOUT_RELEASE: release,
    BACKOUT_SCOPE: scope ?? "",
    // Its objects can be larger than a variable may be: they are on standard input.
    BACKOUT_BASELINE: JSON.stringify(baseline === null ? null : { ...baseline, objects: undefined }),
    BACKOUT_PASS: headers["x-backout-pass"] ?? "",
    ...named("BACKOUT_URL", urls),
    ...named("DATABASE_URL", databases),
    // The one of the shell that runs backout is another.
    DATABASE_URL: only.length === 1 ? only[0]! : "",
  };
}

function passwords(databases: Record<string, string>): string[] {
  return Object.values(databases).flatMap((url) => {
    const password = URL.canParse(url) ? new URL(url).password : "";
    return password === "" ? [] : [url, password, decodeURIComponent(password)];
  });
}
