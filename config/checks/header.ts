/** The head of a check's file: what its first comment lines declare. */
import { ConfigError, suggestion } from "../errors.ts";

export interface CheckHeader {
  /** Null: the file's name tells it. */
  title: string | null;
  /** Null: the only one of the definition. */
  database: string | null;
  writes: boolean;
  /** Null: all of them. */
  scopes: readonly string[] | null;
  timeoutMs: number;
  /** Names of secrets that it is given. */
  secrets: readonly string[];
  /** A query whose first row a passed SQL file shows. */
  shows: string | null;
}

/** What a head may name. */
export interface Known {
  databases: readonly string[];
  scopes: readonly string[];
  secrets: readonly string[];
  /** Whether it is an SQL file: only that shows what a query finds. */
  sql: boolean;
}

export const DEFAULT_TIMEOUT_MS = 60_000;

const KEYS = ["title", "database", "writes", "scopes", "timeout", "secrets", "shows"];
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 };
const LONGEST_MS = 3_600_000;

/**
 * Reads the first block of comment lines, after a line that names the interpreter. It is a head if a line of it has one of the keys, or if all of them are
 * like one; then each must be `key: value`, but the query of `shows` goes on in lines that are indented. Otherwise it is prose. An empty line ends it.
 * @param file as errors name it
 * @param marks what begins a comment, e.g. `--`
 * @throws ConfigError with file and line
 */
export function readHeader(file: string, text: string, marks: readonly string[], known: Known): CheckHeader {
  const header: CheckHeader = {
    title: null,
    database: null,
    writes: false,
    scopes: null,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    secrets: [],
    shows: null,
  };
  const seen = new Set<string>();
  const query = (value: string): string | null => (known.sql && /^(?:SELECT|WITH)\s/i.test(value) ? value : null);
  for (const { key, value, line, text: whole } of declarations(text, marks)) {
    const fail = (allowed: string, what: unknown = value): never => {
      throw new ConfigError(`${file}:${line}`, what, allowed);
    };
    const among = (what: string, names: readonly string[], given: string): string =>
      names.includes(given)
        ? given
        : fail(`no ${what} of the definition, only ${names.join(", ") || "none"}${suggestion(given, [...names])}`, given);
    if (key === null) fail(`must be \`key: value\`, with one of ${KEYS.join(", ")}; put an empty line before prose`, whole);
    else if (!KEYS.includes(key)) fail(`not a key of a check, those are ${KEYS.join(", ")}${suggestion(key, KEYS)}`, key);
    else if (seen.has(key)) fail("declared twice: remove one", key);
    else if (value === "") fail(`\`${key}:\` needs a value`);
    else if (key === "title") header.title = value;
    else if (key === "database") header.database = among("database", known.databases, value);
    else if (key === "writes") header.writes = value === "true" || fail("must be `true`: leave the line out for a check that only reads");
    else if (key === "timeout") header.timeoutMs = duration(value) ?? fail("must be a time above 0 and at most 60m, e.g. 30s, 500ms or 2m");
    else if (key === "scopes") header.scopes = list(value).map((name) => among("scope", known.scopes, name));
    else if (key === "shows") header.shows = query(value) ?? fail("must be a query that begins with SELECT or WITH, in an SQL file");
    else header.secrets = list(value).map((name) => among("secret", known.secrets, name));
    seen.add(key ?? "");
  }
  return header;
}

/** Whether a file declares anything of a check's: it is meant as one. */
export function hasHeader(text: string, marks: readonly string[]): boolean {
  return declarations(text, marks).some(isKnown);
}

const isKnown = ({ key }: Declaration): boolean => key !== null && KEYS.includes(key);

interface Declaration {
  /** Null: the line has none. */
  key: string | null;
  value: string;
  text: string;
  line: number;
}

function declarations(text: string, marks: readonly string[]): Declaration[] {
  const found: Declaration[] = [];
  for (const [index, whole] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = whole.trim();
    if (index === 0 && line.startsWith("#!")) continue;
    if (line === "" && found.length === 0) continue;
    const mark = marks.find((each) => line.startsWith(each));
    if (mark === undefined) break;
    const said = line.slice(mark.length).trim();
    const last = found.at(-1);
    if (last?.key === "shows" && said !== "" && /^\s{2}/.test(line.slice(mark.length))) {
      last.value += ` ${said}`;
      continue;
    }
    const [, key = null, value = ""] = /^([a-z][\w-]*):(?:\s+(.*))?$/.exec(said) ?? [];
    found.push({ key, value: value.trim(), text: said, line: index + 1 });
  }
  return found.some(isKnown) || found.every(({ key }) => key !== null) ? found : [];
}

const list = (value: string): string[] => value.split(/[\s,]+/).filter((name) => name !== "");

function duration(value: string): number | null {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m)$/.exec(value);
  const ms = found === null ? NaN : Number(found[1]) * UNITS[found[2]!]!;
  return ms > 0 && ms <= LONGEST_MS ? ms : null;
}
