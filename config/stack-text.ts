/** The text of a stack file as YAML: one document, a map, with a map under `config`; anything else is an error with its line. */
import { RefusedError, printable, TOLD_WHOLE } from "./errors.ts";
import { isMap, LineCounter, parseDocument, type Document } from "yaml";

/** A stack file is not valid YAML, or is not a stack's configuration. */
export class StackFileError extends RefusedError {
  readonly file: string;
  /** Counted from 1; null: the whole file. */
  readonly line: number | null;
  readonly __pulumiRunError = TOLD_WHOLE;
  constructor(file: string, line: number | null, problem: string) {
    super(printable(`${file}${line === null ? "" : `, line ${line}`}: ${problem}`));
    this.name = "StackFileError";
    this.file = file;
    this.line = line;
  }
}

interface Read {
  document: Document;
  /** What it holds. */
  value: unknown;
}

/** Messages by the parser's error code; else the parser's own. */
const PROBLEMS: Record<string, string> = {
  DUPLICATE_KEY: "a key appears twice: remove one of them",
  MULTIPLE_DOCS: "a second document begins: a stack file is one document, remove `---` and the rest",
  TAB_AS_INDENT: "a tab is used to indent: use spaces",
};

/**
 * @param file what the text is called in errors.
 * @throws StackFileError for text that is not one YAML document
 */
export function documentOf(text: string, file = "the stack file"): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new StackFileError(file, line, PROBLEMS[error.code] ?? inWords(error.message));
  }
  return { document, value: valueOf(document, file) };
}

function valueOf(document: Document, file: string): unknown {
  try {
    const value: unknown = document.toJS();
    // An anchor may contain itself.
    JSON.stringify(value);
    return value;
  } catch (error) {
    throw new StackFileError(file, null, inWords((error as Error).message));
  }
}

function inWords(message: string): string {
  if (/call stack/.test(message)) return "it is nested too deeply";
  if (/circular/.test(message)) return "an anchor contains itself: write the value out";
  if (/alias/i.test(message)) return `${firstSentence(message)}: write the values out instead of aliases`;
  return `not valid YAML: ${firstSentence(message)}`;
}

/** The map under `config`: full keys to values. @throws StackFileError */
export function configOf(text: string, file = "the stack file"): Record<string, unknown> {
  const { document, value } = documentOf(text, file);
  if (value === null || value === undefined) return {};
  if (!isMap(document.contents)) throw new StackFileError(file, null, "must be a map with the configuration under `config`");
  const config = document.get("config", true);
  if (config === undefined || (value as { config?: unknown }).config == null) return {};
  if (!isMap(config)) throw new StackFileError(file, null, "`config` must be a map of keys such as `backout:release`");
  return (value as { config: Record<string, unknown> }).config;
}

function firstSentence(message: string): string {
  return message.split("\n")[0]!.replace(/\.$/, "");
}
