/** Files of the folder that `init` looks at. A file that cannot be read as what it is ends the command, with its line. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LineCounter, parseDocument, type Document } from "yaml";
import { InitFileError } from "./found.ts";

/** Folders of tools, and what is made from sources. */
const PASSED_OVER = /^(?:node_modules|releases|dist|build|target|vendor|venv|tests?|\..*)$/;

/** The text of a file; null: there is none. */
export function textOf(folder: string, ...names: string[]): string | null {
  const file = join(folder, ...names);
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file, "utf8") : null;
}

/** The first of some files that exists; null: none. */
export function firstOf(folder: string, names: readonly string[]): string | null {
  return names.find((name) => existsSync(join(folder, name))) ?? null;
}

/** Folders with sources directly below a folder, by name. */
export function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !PASSED_OVER.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

export interface YamlFile {
  document: Document;
  value: unknown;
  /** Line of a character's place, counted from 1. */
  lineAt: (offset: number) => number;
}

/** @throws InitFileError */
export function yamlOf(text: string, file: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [error] = document.errors;
  if (error !== undefined) throw new InitFileError(file, lineAt(error.pos[0]), `not valid YAML: ${error.message.split("\n")[0]!}`);
  try {
    return { document, value: document.toJS(), lineAt };
  } catch (problem) {
    throw new InitFileError(file, null, `not valid YAML: ${(problem as Error).message}`);
  }
}

/** @throws InitFileError */
export function jsonOf<T>(text: string, file: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    const { message } = error as Error;
    const line = /\(line (\d+) /.exec(message)?.[1];
    throw new InitFileError(
      file,
      line === undefined ? null : Number(line),
      `not valid JSON: ${message.replace(/ in JSON at position.*$/, "")}`,
    );
  }
}
