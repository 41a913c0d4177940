/** The same checks as a person runs them: by the verb, and by the engine. */
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { EXIT } from "../../scripts/pulumi/outcome.ts";
import { runVerb } from "../verbs.ts";
import { unclean } from "./answer.ts";
import type { Ground } from "./ground.ts";
import type { Mutation } from "./mutation.ts";

interface Answer {
  refused?: string[];
  error?: { name: string; message: string };
}

/** `backout preview … --json`: one document, and an exit code that says it is refused or allowed. */
export async function askVerb({ stack }: Ground, { words }: Mutation): Promise<string | null> {
  const { code, json, failure } = await runVerb<Answer>(stack, "preview", words ?? []);
  if (json === null) return `\`backout preview\` prints no document: ${failure ?? ""}`;
  if (code !== EXIT.done && code !== EXIT.refused && code !== EXIT.usage) return `\`backout preview\` ends with ${code}: ${failure ?? ""}`;
  const told = [...(json.refused ?? []), ...(json.error === undefined ? [] : [json.error.message])];
  return told.map(unclean).find((problem) => problem !== null) ?? null;
}

/** `pulumi preview`: errors are shown once, without a stack trace. */
export async function askEngine({ stack }: Ground, _mutation: Mutation): Promise<string | null> {
  const call = { project: stack.folder, stack: stack.stack, environment: stack.environment };
  const { output } = await runPulumi({ ...call, arguments: ["preview"] });
  const trace = /^\s+at .+:\d+:\d+.*$|an unhandled error|Unhandled|goroutine \d+|panic:/m.exec(output)?.[0];
  return trace === undefined ? null : `\`pulumi preview\` says ${JSON.stringify(trace.trim())}`;
}
