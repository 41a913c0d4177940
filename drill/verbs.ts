/** The verbs as a person types them: the command itself, as a process of its own, inside the drill's project. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CheckResult } from "../config/system/check.ts";
import type { EphemeralStack } from "./ephemeral-stack.ts";

export interface VerbOutcome<T> {
  code: number;
  /** Its JSON document; null: none. */
  json: T | null;
  /** Its error message; null: none. */
  failure: string | null;
}

/** Runs `backout <verb> … --stack <stack> --json`. Never throws for a verb that fails. */
export async function runVerb<T>(
  stack: EphemeralStack,
  verb: string,
  parameters: string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<VerbOutcome<T>> {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`../scripts/backout.${suffix}`, import.meta.url));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, verb, ...parameters, "--stack", stack.stack, "--json"],
    // A group of its own: Ctrl-C is for the drill, which ends it.
    {
      cwd: stack.folder,
      env: { ...stack.environment, BACKOUT_RUN_ID: undefined, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    },
  );
  const [stdout, stderr, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? -1));
    }),
  ]);
  const json = parsed<T>(stdout);
  return { code, json, failure: code === 0 && json !== null ? null : failureOf(verb, code, json, stderr) };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString("utf8");
}

function parsed<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}

/** What a verb that failed says: its error, what it refused, or the checks that failed. */
export function failureOf(verb: string, code: number, json: unknown, stderr: string): string {
  const said = json as { error?: { message?: string }; failure?: string | null; refused?: unknown; checks?: unknown } | null;
  const refused = Array.isArray(said?.refused) && said.refused.length > 0 ? said.refused.join("; ") : null;
  const written = stderr.trim().split("\n").slice(-6).join("\n");
  const reason = said?.error?.message ?? said?.failure ?? refused ?? failedChecks(said?.checks) ?? (written || "no message");
  return `\`backout ${verb}\` ended with ${code}: ${reason}`;
}

function failedChecks(checks: unknown): string | null {
  const failed = Array.isArray(checks) ? (checks as CheckResult[]).filter(({ status }) => status === "failed") : [];
  return failed.length === 0 ? null : `failed checks: ${failed.map(({ name }) => name).join(", ")}`;
}

/** Whether the verb exists. */
export async function hasVerb(verb: string): Promise<boolean> {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`../scripts/backout.${suffix}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, verb, "--help"], { stdio: "ignore" });
  return new Promise((resolve) => child.once("error", () => resolve(false)).once("close", (code) => resolve(code === 0)));
}
