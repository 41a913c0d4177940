/** What a Dockerfile says of the program in its last stage. */
import { commandOfLine } from "./command-line.ts";

export interface DockerfileFacts {
  command?: string[];
  /** The first port that it exposes. */
  port?: number;
  /** Path or line of its health check. */
  health?: string;
}

export function dockerfileFacts(text: string): DockerfileFacts {
  const lines = text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/);
  const stage = lines.slice(lines.findLastIndex((line) => /^\s*FROM\s/i.test(line)) + 1);
  const last = (word: string): string | undefined =>
    stage.map((line) => new RegExp(`^\\s*${word}\\s+(.+)$`, "i").exec(line)?.[1]).findLast(Boolean);
  const [entry, given, folder, exposed] = [last("ENTRYPOINT"), last("CMD"), last("WORKDIR"), last("EXPOSE")];
  const words = [...listed(entry), ...(entry !== undefined && !entry.trim().startsWith("[") ? [] : listed(given))];
  const port = exposed === undefined ? NaN : Number.parseInt(exposed, 10);
  const health = last("HEALTHCHECK");
  return {
    ...(words.length === 0 ? {} : { command: inFolder(words, folder) }),
    ...(Number.isNaN(port) ? {} : { port }),
    ...(health === undefined ? {} : { health }),
  };
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
