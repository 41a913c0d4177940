/** Values and damages that nobody should write. */
import type { Dice } from "../dice.ts";

const DEEP = (depth: number): string => `${"{a: ".repeat(depth)}1${"}".repeat(depth)}`;

/** Names for a release, a snapshot, a service, a key. */
export const NAMES: readonly string[] = [
  "",
  " ",
  "constructor",
  "__proto__",
  "toString",
  "hasOwnProperty",
  "v4 beta",
  "v4/../../etc/passwd",
  "../..",
  "/etc/passwd",
  "-",
  "--yes",
  ".",
  "@",
  "a@b@c",
  "before-v4.0.0@",
  "before-v4.0.0@0",
  "before-v4.0.0@99999999999999999999",
  "before-v4.0.0@1@2",
  "quarantine:",
  "quarantine:nowhere",
  "current",
  "phase-3.0.1+build.5",
  "v4'; DROP TABLE users; --",
  '"',
  "'",
  "`id`",
  "$(id)",
  "%s%n",
  "\u0000",
  "\u001b[31mred\u001b[0m",
  "line\nbreak",
  "tab\there",
  "\u202eesrever",
  "\ufeffbom",
  "名前",
  "💥",
  "é".repeat(3),
  "x".repeat(300),
  "x".repeat(100_000),
  "null",
  "true",
  "0x10",
  "1e3",
  "~",
  "*a",
  "&a",
  "!!binary",
  "2026-11-28",
];

/** Values in place of another. */
export const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  65_536,
  5440,
  2 ** 53,
  1e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  [],
  {},
  [[]],
  [null],
  { a: { b: { c: {} } } },
  { secure: "v1:abc=:def=" },
  { secret: "x" },
  { snapshot: "before-v4.0.0", again: 1 },
  { snapshot: {}, again: "x" },
  { repair: "rows" },
  { repair: "constructor", with: { rows: "a/1" } },
  { mode: "full" },
  { mode: "half", message: 1 },
  { embedded: "yes" },
  { host: "", user: "" },
  { constructor: 1 },
  ...NAMES,
];

/** A word with a typing error. */
export function slip(dice: Dice, word: string): string {
  const at = dice.between(0, Math.max(0, word.length - 1));
  switch (dice.between(0, 3)) {
    case 0:
      return word.slice(0, at) + word.slice(at + 1);
    case 1:
      return word.slice(0, at) + (word[at + 1] ?? "") + (word[at] ?? "") + word.slice(at + 2);
    case 2:
      return word.slice(0, at) + (word[at] ?? "x") + word.slice(at);
    default:
      return word.toUpperCase();
  }
}

type Damage = (dice: Dice, lines: string[]) => string[];

const anyLine = (dice: Dice, lines: readonly string[]): number => dice.between(0, Math.max(0, lines.length - 1));
const changed = (dice: Dice, lines: string[], change: (line: string) => string): string[] => {
  const at = anyLine(dice, lines);
  return lines.with(at, change(lines[at] ?? ""));
};
const inserted = (dice: Dice, lines: string[], ...more: string[]): string[] => lines.toSpliced(anyLine(dice, lines), 0, ...more);
const valued = (line: string, value: string): string => (line.includes(":") ? line.replace(/:( .*)?$/, `: ${value}`) : value);

/** Damages of the text. */
export const DAMAGES: Record<string, Damage> = {
  "unclosed quote": (dice, lines) => changed(dice, lines, (line) => valued(line, dice.pick(['"x', "'x"]))),
  "key twice": (dice, lines) => {
    const at = anyLine(dice, lines);
    return lines.toSpliced(at, 0, lines[at] ?? "");
  },
  "bad indent": (dice, lines) => changed(dice, lines, (line) => (dice.chance(0.5) ? ` ${line}` : line.replace(/^ /, ""))),
  "tab for an indent": (dice, lines) => changed(dice, lines, (line) => `\t${line.trimStart()}`),
  "cut off": (dice, lines) => {
    const text = lines.join("\n");
    return text.slice(0, dice.between(0, text.length)).split("\n");
  },
  "second document": (dice, lines) => inserted(dice, lines, "---"),
  "end of a document": (dice, lines) => inserted(dice, lines, "..."),
  "line left out": (dice, lines) => lines.toSpliced(anyLine(dice, lines), 1),
  "lines changed over": (dice, lines) => {
    const [one, two] = [anyLine(dice, lines), anyLine(dice, lines)];
    return lines.with(one, lines[two] ?? "").with(two, lines[one] ?? "");
  },
  "bomb of aliases": (_dice, lines) => [
    "a: &a [x, x, x, x, x, x, x, x, x, x]",
    ...[..."bcdefghij"].map(
      (letter) =>
        `${letter}: &${letter} [${Array(10)
          .fill(`*${String.fromCharCode(letter.charCodeAt(0) - 1)}`)
          .join(", ")}]`,
    ),
    ...lines,
  ],
  "alias of nothing": (dice, lines) => changed(dice, lines, (line) => valued(line, "*nothing")),
  "anchor that holds itself": (dice, lines) => changed(dice, lines, (line) => valued(line, "&self [*self]")),
  "tag of another language": (dice, lines) =>
    changed(dice, lines, (line) =>
      valued(line, dice.pick(["!!js/function 'x'", "!!binary eA==", "!local x", "!!set {a, b}", "!!timestamp x"])),
    ),
  "merge key": (dice, lines) => inserted(dice, lines, "  <<: {backout:release: v9}"),
  "deep nesting": (dice, lines) => changed(dice, lines, (line) => valued(line, DEEP(dice.pick([50, 2_000, 20_000])))),
  "huge value": (dice, lines) => changed(dice, lines, (line) => valued(line, "y".repeat(1_000_000))),
  "control characters": (dice, lines) =>
    changed(dice, lines, (line) => line + dice.pick(["\u0000", "\u0007", "\u001b[2J", "\ufeff", "\u2028", "\u0085", "\ud800"])),
  "value of another kind": (dice, lines) => changed(dice, lines, (line) => valued(line, JSON.stringify(dice.pick(VALUES)) ?? "null")),
  "name in place of a value": (dice, lines) => changed(dice, lines, (line) => valued(line, dice.pick(NAMES))),
  "key with a slip": (dice, lines) => changed(dice, lines, (line) => line.replace(/[\w:-]+(?=:)/, (word) => slip(dice, word))),
  "another key": (dice, lines) => inserted(dice, lines, `  backout:${dice.pick(NAMES)}: ${JSON.stringify(dice.pick(VALUES)) ?? "null"}`),
  "windows line ends": (_dice, lines) => lines.map((line) => `${line}\r`),
  "not a map": (dice) => [dice.pick(["- a", "word", "42", "config: word", "config: [1]", "{", "[", "config:", "\u0000"])],
};
