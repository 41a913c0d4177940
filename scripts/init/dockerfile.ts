/** What a Dockerfile says of the program in its last stage. */
import { commandOfLine, wordsOf } from "./command-line.ts";
import { portNumber } from "./found.ts";

export interface DockerfileFacts {
  command?: string[];
  /** The first port that it exposes, or its PORT. */
  port?: number;
  /** Path or line of its health check. */
  health?: string;
  environment: Record<string, string>;
  /** Variables that only make sense in the image. */
  leftOut?: string[];
}

export function dockerfileFacts(text: string): DockerfileFacts {
  const lines = text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/);
  const stage = lines.slice(lines.findLastIndex((line) => /^\s*FROM\s/i.test(line)) + 1);
  const last = (word: string): string | undefined =>
    stage.map((line) => new RegExp(`^\\s*${word}\\s+(.+)$`, "i").exec(line)?.[1]).findLast(Boolean);
  const [entry, given, folder, exposed] = [last("ENTRYPOINT"), last("CMD"), last("WORKDIR"), last("EXPOSE")];
  const words = [...listed(entry), ...(entry !== undefined && !entry.trim().startsWith("[") ? [] : listed(given))];
  const set = stage.flatMap((line) => variablesIn(/^\s*ENV\s+(.+)$/i.exec(line)?.[1]?.trim() ?? ""));
  const [environment, leftOut] = [false, true].map((inImage) => set.filter(([, value]) => /^\/|\$/.test(value) === inImage));
  const port = portNumber(exposed ?? "") ?? portNumber(Object.fromEntries(set)["PORT"] ?? "");
  const health = last("HEALTHCHECK");
  return {
    ...(words.length === 0 ? {} : { command: inFolder(words, folder) }),
    ...(port === undefined ? {} : { port }),
    ...(health === undefined ? {} : { health }),
    environment: Object.fromEntries(environment!),
    ...(leftOut!.length === 0 ? {} : { leftOut: leftOut!.map(([name]) => name) }),
  };
}

/** `A=1 B="2 3"`, or the old form `A 1`. */
function variablesIn(text: string): [string, string][] {
  const [, name, value] = /^(\w+)\s+(.+)$/.exec(text) ?? [];
  if (name !== undefined) return [[name, value!]];
  return wordsOf(text).map((word) => [word.split("=")[0]!, word.slice(word.indexOf("=") + 1)]);
}

/** Said to the user, so that nothing is dropped in silence. */
export function leftOutOf(file: string, names: readonly string[]): string {
  return `${file}: ENV ${names.join(", ")} is left out: its value is a path of the image or is made from other variables`;
}

/** The endpoint that a health check asks. */
export function endpointIn(line: string): { path?: string; port?: number } {
  const [, given, path] = /https?:\/\/[^/\s"':]+(?::(\d+)|[^/\s"']*)(\/[^\s"'|;]*)?/.exec(line) ?? [];
  const port = portNumber(given ?? "");
  return { ...(path === undefined ? {} : { path }), ...(port === undefined ? {} : { port }) };
}

/** `["a", "b"]`, or a line for a shell. */
function listed(text: string | undefined): string[] {
  if (text === undefined) return [];
  try {
    const words = JSON.parse(text) as unknown;
    return Array.isArray(words) ? words.map(String) : commandOfLine(text);
  } catch {
    return commandOfLine(text);
  }
}

/** Files of the image's working folder are those of the release folder. */
function inFolder(words: readonly string[], folder: string | undefined): string[] {
  const base = `${(folder ?? "/").trim().replace(/\/+$/, "")}/`;
  if (base === "/") return [...words];
  return words.map((word, index) => (word.startsWith(base) ? `${index === 0 ? "./" : ""}${word.slice(base.length)}` : word));
}
