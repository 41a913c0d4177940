/** What an executable check says: by one JSON document on standard output, or by its exit code. */
import { z } from "zod";
import { failureOf, type ProgramResult } from "../../processes/run-program.ts";
import { printable } from "../errors.ts";
import type { CheckStatus, Figures } from "../system/check.ts";

const answerSchema = z.strictObject({
  ok: z.boolean(),
  message: z.string().default(""),
  figures: z.record(z.string(), z.number()).optional(),
});

export interface Answer {
  status: CheckStatus;
  detail: string;
  figures?: Figures;
}

const LONGEST_DETAIL = 1000;

/**
 * Both must say that all is well: a check that answers `ok` and then fails has failed.
 * @param secrets texts that appear in no detail
 */
export function answerOf(result: ProgramResult, timeoutMs: number, secrets: readonly string[] = []): Answer {
  const failure = failureOf(result, timeoutMs);
  const said = saidIn(result.stdout);
  if (said === "wrong") return failed(`its answer is no {"ok": true or false, "message": "…", "figures": {…}}: ${result.stdout.trim()}`);
  const text = said?.message ?? lastLines(failure === null ? result.stdout : `${result.stdout}\n${result.stderr}`);
  const figures = said?.figures === undefined ? {} : { figures: said.figures };
  if (failure !== null) return { ...failed([`it ${failure}`, text].filter((part) => part !== "").join(": ")), ...figures };
  return {
    ...(said?.ok === false
      ? failed(text || "it says that it failed")
      : { status: "passed", detail: told(text || "ended with exit code 0") }),
    ...figures,
  };

  function failed(detail: string): Answer {
    return { status: "failed", detail: told(detail) };
  }
  function told(detail: string): string {
    const hidden = secrets.reduce((shown, secret) => (secret === "" ? shown : shown.replaceAll(secret, "…")), detail);
    return printable(hidden.length > LONGEST_DETAIL ? `${hidden.slice(0, LONGEST_DETAIL)}…` : hidden);
  }
}

/** Null: no JSON document, so the exit code says it. */
function saidIn(stdout: string): z.infer<typeof answerSchema> | "wrong" | null {
  let document: unknown;
  try {
    document = JSON.parse(stdout);
  } catch {
    return null;
  }
  if (typeof document !== "object" || document === null) return null;
  const parsed = answerSchema.safeParse(document);
  return parsed.success ? parsed.data : "wrong";
}

const LAST_LINES = 5;

function lastLines(output: string): string {
  const lines = output.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
  return lines.slice(-LAST_LINES).join("; ");
}
