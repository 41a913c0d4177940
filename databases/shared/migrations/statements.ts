/**
 * Splits a script into its statements the way psql does, so that a failure names its statement and line. By hand: a parser of one server's grammar
 * (libpg-query) splits no script that is wrong, of another version, or of SQLite.
 */

export interface Statement {
  /** Without surrounding white space and comments before it, and without the semicolon. */
  text: string;
  /** Line of the script it starts at, from 1. */
  line: number;
}

const TOKEN = new RegExp(
  [
    /(?<space>\s+)/,
    /(?<line>--[^\n\r]*)/,
    /(?<block>\/\*)/,
    /(?<escaped>[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$))/,
    /(?<string>'(?:[^']|'')*(?:'|$))/,
    /(?<quoted>"(?:[^"]|"")*(?:"|$))/,
    /(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)/,
    /(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/,
    /(?<number>\d[\w$.]*)/,
    /(?<other>[\s\S])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "y",
);

interface Token {
  kind: string;
  text: string;
  at: number;
}

function* tokens(script: string): Generator<Token> {
  let at = 0;
  while (at < script.length) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(script)!.groups!;
    const kind = Object.keys(groups).find((name) => groups[name] !== undefined)!;
    const end =
      kind === "block" ? blockEnd(script, at) : kind === "dollar" ? dollarEnd(script, at, groups["dollar"]!) : at + groups[kind]!.length;
    yield { kind, text: script.slice(at, end), at };
    at = end;
  }
}

/** Comments nest in PostgreSQL. */
function blockEnd(script: string, start: number): number {
  let depth = 0;
  for (let at = start; at < script.length; at++) {
    const pair = script.slice(at, at + 2);
    if (pair === "/*") depth++;
    else if (pair === "*/") depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return script.length;
}

function dollarEnd(script: string, start: number, tag: string): number {
  const close = script.indexOf(tag, start + tag.length);
  return close === -1 ? script.length : close + tag.length;
}

const COMMENTS = new Set(["space", "line", "block"]);

/** A semicolon ends a statement unless it stands in parentheses, quotes, a comment or the BEGIN ATOMIC … END body of a routine. */
export function splitStatements(script: string): Statement[] {
  const statements: Statement[] = [];
  let start = -1;
  let end = 0;
  let parentheses = 0;
  let bodies = 0;
  let words: string[] = [];
  let line = 1;
  let counted = 0;
  const finish = () => {
    if (start >= 0) {
      line += script.slice(counted, start).split("\n").length - 1;
      counted = start;
      statements.push({ text: script.slice(start, end), line });
    }
    [start, parentheses, bodies, words] = [-1, 0, 0, []];
  };
  for (const { kind, text, at } of tokens(script)) {
    if (COMMENTS.has(kind)) continue;
    if (text === ";" && parentheses === 0 && bodies === 0) {
      finish();
      continue;
    }
    if (start < 0) start = at;
    end = at + text.length;
    if (text === "(") parentheses++;
    else if (text === ")") parentheses = Math.max(0, parentheses - 1);
    else if (kind === "word" && parentheses === 0) {
      const word = text.toLowerCase();
      if (words.length < 4) words.push(word);
      if (isRoutine(words) && (word === "begin" || (word === "case" && bodies > 0))) bodies++;
      else if (word === "end" && bodies > 0) bodies--;
    }
  }
  finish();
  return statements;
}

function isRoutine(words: string[]): boolean {
  return /^create ((or replace )?(function|procedure)|(temp(orary)? )?trigger)\b/.test(words.join(" "));
}

const LITERALS = new Set(["string", "escaped", "dollar"]);

/** A statement in lower case and one line, without comments and without the contents of its literals. */
export function wordsOf(statement: string): string {
  const parts = [...tokens(statement)].map(({ kind, text }) => {
    if (COMMENTS.has(kind)) return " ";
    if (LITERALS.has(kind)) return "''";
    return kind === "word" ? text.toLowerCase() : text;
  });
  return parts.join("").replace(/\s+/g, " ").trim();
}
