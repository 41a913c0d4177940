/** Edits pins in a stack file as a person would: only the lines that change, comments and order kept. */
import { isDeepStrictEqual } from "node:util";
import { isMap, parseDocument, type Document } from "yaml";
import { configOf, documentOf } from "./stack-text.ts";
import { NAMESPACE } from "./errors.ts";
import { requireNoReference } from "./secret-config.ts";

/** One pin to set (or, with `undefined`, to remove), by path below the namespace: `["services", "worker", "run"]`. */
export interface PinEdit {
  path: [string, ...string[]];
  value: unknown;
}

export interface LineChange {
  removed: string[];
  added: string[];
}

/** The stack file with the edits applied. @throws StackFileError */
export function editPins(text: string, edits: PinEdit[]): string {
  const { document } = documentOf(text);
  for (const { path, value } of edits) {
    requireNoReference(path, value);
    const [key, ...rest] = path;
    const full = ["config", `${NAMESPACE}:${key}`, ...rest];
    if (value !== undefined) makeMaps(document, full.slice(0, -1));
    if (value === undefined) removePin(document, full);
    // A plain value that replaces another keeps the comment on its line.
    else document.setIn(full, typeof value === "object" ? document.createNode(value) : value);
  }
  const style = { lineWidth: 0, indent: /^( +)\S/m.exec(text)?.[1]?.length ?? 2 };
  return asWritten(document.toString(style), parseDocument(text).toString(style), text);
}

/** Printing a document normalises spacing, quotes and numbers: lines with an unchanged meaning are restored as a person wrote them. */
function asWritten(edited: string, printed: string, text: string): string {
  const [lines, originals] = [printed.split("\n"), text.split("\n")];
  if (lines.length !== originals.length) return edited;
  const written = new Map<string, string[]>();
  lines.forEach((line, index) => written.set(line, [...(written.get(line) ?? []), originals[index]!]));
  const restored = edited
    .split("\n")
    .map((line) => written.get(line)?.shift() ?? line)
    .join("\n");
  return isDeepStrictEqual(parseDocument(restored).toJS(), parseDocument(edited).toJS()) ? restored : edited;
}

function makeMaps(document: Document, path: string[]): void {
  for (let depth = 1; depth <= path.length; depth++) {
    const at = path.slice(0, depth);
    if (!isMap(document.getIn(at, true))) document.setIn(at, document.createNode({}));
  }
}

/** Removes a pin, and maps that are then empty. */
function removePin(document: Document, path: string[]): void {
  if (!document.hasIn(path)) return;
  document.deleteIn(path);
  for (let depth = path.length - 1; depth > 1; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isMap(node) && node.items.length === 0) document.deleteIn(path.slice(0, depth));
    else return;
  }
}

/** Changed lines, as in a diff. */
export function changedLines(before: string, after: string): LineChange {
  const count = (text: string): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const line of text.split("\n")) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  };
  const surplus = (of: string, over: string): string[] => {
    const left = count(over);
    return of.split("\n").filter((line) => {
      const there = left.get(line) ?? 0;
      if (there > 0) left.set(line, there - 1);
      return there === 0;
    });
  };
  return { removed: surplus(before, after), added: surplus(after, before) };
}

/** Edits of whole keys that turn one text into the other. */
export function changedPins(before: string, after: string): PinEdit[] {
  const [was, is] = [configOf(before), configOf(after)];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .filter((key) => !isDeepStrictEqual(was[key], is[key]))
    .map((key) => ({ path: [key.slice(NAMESPACE.length + 1)], value: is[key] }));
}

/** Edits that turn one value into the other; what both have stays, with its comments. */
export function editsBetween(path: PinEdit["path"], is: unknown, wanted: unknown): PinEdit[] {
  if (isDeepStrictEqual(is, wanted)) return [];
  if (!isPlainMap(is) || !isPlainMap(wanted)) return [{ path, value: wanted }];
  return [...new Set([...Object.keys(is), ...Object.keys(wanted)])].flatMap((key) => editsBetween([...path, key], is[key], wanted[key]));
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("secure" in value);
}

/**
 * Raw configuration of a stack file: full keys to values. Encrypted values come from `plain`, and are left out if missing there.
 * @param file name of the text in errors.
 * @throws StackFileError
 */
export function rawConfig(text: string, file?: string, plain: ReadonlyMap<string, string> = new Map()): Record<string, unknown> {
  return decrypted(configOf(text, file), plain) as Record<string, unknown>;
}

function decrypted(value: unknown, plain: ReadonlyMap<string, string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => decrypted(inner, plain));
  const { secure } = value as { secure?: unknown };
  if (typeof secure === "string") return plain.get(secure);
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, decrypted(inner, plain)])
      .filter(([, inner]) => inner !== undefined),
  );
}

/** Names under `backout:secrets` whose values are in plain text. */
export function plainSecrets(text: string, file?: string): string[] {
  const secrets = (configOf(text, file)[`${NAMESPACE}:secrets`] ?? {}) as Record<string, { secure?: unknown } | string | null>;
  const isPlain = (value: { secure?: unknown } | string | null): boolean => typeof value !== "object" || typeof value?.secure !== "string";
  return typeof secrets.secure === "string" ? [] : Object.entries(secrets).flatMap(([name, value]) => (isPlain(value) ? [name] : []));
}

/** Full keys that hold something encrypted. @throws StackFileError */
export function encryptedKeys(text: string, file?: string): string[] {
  const holds = (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    (typeof (value as { secure?: unknown }).secure === "string" || Object.values(value).some(holds));
  return Object.entries(configOf(text, file)).flatMap(([key, value]) => (holds(value) ? [key] : []));
}
