/** How every verb ends: exit code, one JSON document with `--json`, progress on standard error. */
import { styleText } from "node:util";
import { printable, RefusedError, UsageError } from "../../config/errors.ts";

/** 0 done, 1 failed, 2 wrong usage, 3 refused by policy or safety. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

export interface CommonOptions {
  stack?: string;
  json?: boolean;
}

/** Progress for a person; standard output stays free for the one JSON document. */
export function say(line: string): void {
  process.stderr.write(`${shown(line)}\n`);
}

/** A verb's result, on standard output. */
export function print(text: string): void {
  process.stdout.write(shown(text));
}

/** Of control characters only ends of lines, tabs, and the colours that were put on here: a reason or a name may hold any. */
export function shown(text: string): string {
  return text.replaceAll(/\u001b\[\d{1,2}m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (found) =>
    found.length > 1 && atTerminal() ? found : escaped(found),
  );
}

/** Control characters as a person can read them. */
export function escaped(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (found) => `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** In colour where a person reads it. */
export function painted(colour: "red" | "yellow" | "green", text: string): string {
  return atTerminal() ? styleText(colour, text) : text;
}

function atTerminal(): boolean {
  return process.stderr.isTTY && process.env["NO_COLOR"] === undefined;
}

/** What a refusal lists besides its message. */
function toldBy(error: unknown): Record<string, unknown> {
  const { before } = error as { before?: unknown };
  return before === undefined ? {} : { before };
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? EXIT.usage : error instanceof RefusedError ? EXIT.refused : EXIT.failed;
}

/**
 * Runs a verb. What it returns is printed as JSON with `--json`, and by `tell` otherwise.
 * @param ok whether the outcome counts as done; a verb that ran and found something wrong ends with 1, one that says what would be refused with 3.
 */
export async function finish<T>(
  json: boolean | undefined,
  work: () => Promise<T>,
  tell: (result: T) => void,
  ok: (result: T) => boolean | "refused" = () => true,
): Promise<void> {
  try {
    const result = await work();
    if (json === true) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else tell(result);
    const verdict = ok(result);
    process.exitCode = verdict === "refused" ? EXIT.refused : verdict ? EXIT.done : EXIT.failed;
  } catch (error) {
    const { name } = error as Error;
    const message = printable((error as Error).message);
    if (json === true) process.stdout.write(`${JSON.stringify({ error: { name, message }, ...toldBy(error) }, null, 2)}\n`);
    else say(painted("red", message));
    process.exitCode = exitCodeOf(error);
  }
}
