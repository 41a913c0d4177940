/** Whether an answer is clear: valid, or refused by a named error with sentences for people. Pure. */
import { printable } from "../../config/errors.ts";
import { EXIT, exitCodeOf } from "../../scripts/pulumi/outcome.ts";

/** Technical texts that no user should see. */
const RAW =
  /\b(?:Type|Range|Reference|Syntax|URI|Zod|YAMLParse|Aggregate)Error\b|\bE(?:NOENT|ACCES|ISDIR|NOTDIR|NAMETOOLONG|INVAL|PERM)\b|\bERR_[A-Z_]+|^\s+at .+|:\d+:\d+\)|Cannot (?:read|convert|destructure|access)|is not (?:a function|iterable|a constructor|an object)|\bundefined\b|\[object |Maximum call stack|\bNaN\b|[Uu]nhandled/m;
/** Nothing that moves a terminal's cursor or turns its text around. */
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;
const LONGEST_LINE = 1_500;

/** What is unclear about the sentences; null: nothing. */
export function unclean(text: string): string | null {
  if (text.trim() === "") return "it is empty";
  const raw = RAW.exec(text)?.[0];
  if (raw !== undefined) return `it says ${JSON.stringify(raw.trim().slice(0, 80))}`;
  const odd = UNPRINTABLE.exec(text)?.[0];
  if (odd !== undefined) return `it holds the character ${JSON.stringify(odd)}, \\u${odd.charCodeAt(0).toString(16)}`;
  const longest = Math.max(...text.split("\n").map(({ length }) => length));
  return longest > LONGEST_LINE ? `a line of ${longest} characters` : null;
}

/** What is unclear about an error; null: it is a proper refusal. */
export function uncleanError(error: unknown): string | null {
  if (!(error instanceof Error)) return `no error was thrown, but ${typeof error}`;
  const { name } = error;
  // Verbs make every message printable; what an update shows as it is must be so itself.
  const message = "__pulumiRunError" in error ? error.message : printable(error.message);
  if (exitCodeOf(error) === EXIT.failed) return `${name} is no refusal: ${message.split("\n")[0]?.slice(0, 200) ?? ""}`;
  const found = unclean(message);
  return found === null ? null : `${name}: ${found}: ${message.slice(0, 200)}`;
}
