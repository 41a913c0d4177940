/** Pages that list something list all of it, and what they link to is there. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { CONFIG_KEYS } from "../../config/schema.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { PROJECT } from "../requirements/requirements.ts";
import { literals } from "./literals.ts";

const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: PROJECT })];
/** Terms of an earlier backout. */
const RETIRED = [/\bcrossings?\b/i, /\b(?:dis)?arm(?:ed|ing)\b/i, /\bcarry: /, /\bcontrol record\b/i, /\bdeployment list\b/i];
/** Phrases that have a plain word: unchanged, 503, found, fixes, fixed, reverted. */
const RIDDLES = [
  /\balready so\b/i,
  /\bnobody gets through\b/i,
  /\bcould be had\b/i,
  /\bputs? it right\b/i,
  /\bis gone on with\b/i,
  /\bwithout reach\b|\bout of reach\b/i,
  /\btakes? (?:it )?back\b|\btaken back\b/i,
  /\bmend(?:s|ed)?\b/i,
  /\bwhoever\b/i,
];

const page = (path: string): string => readFileSync(join(PROJECT, path), "utf8");

/** First cells of a page's tables. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| *\[?`([^`]+)`/gm)].map((match) => match[1]!);
}

test("every key of the declared state has its line", () => {
  expect(CONFIG_KEYS.filter((key) => !firstCells(page("docs/config.md")).includes(key))).toEqual([]);
});

test("every verb has its line in the README", () => {
  const help = execFileSync(process.execPath, [join(PROJECT, "scripts", "backout.ts"), "--help"], { encoding: "utf8" });
  const verbs = [...help.slice(help.indexOf("Commands:")).matchAll(/^ {2}([a-z]+)/gm)]
    .map((match) => match[1]!)
    .filter((verb) => verb !== "help");
  expect(verbs).toContain("rollback");
  const listed = firstCells(page("README.md")).map((cell) => cell.split(" ")[0]);
  expect(verbs.filter((verb) => !listed.includes(verb))).toEqual([]);
});

test("every system has its line in the README, with all its scopes, a page and a stack file", async () => {
  for (const name of systemNames()) {
    const line = page("README.md")
      .split("\n")
      .find((each) => each.startsWith(`| [\`${name}\`]`));
    const { scopes } = await loadSystem(name);
    const words = line?.split(/[|,\s]+/) ?? [];
    expect(
      Object.keys(scopes).filter((scope) => !words.includes(scope)),
      name,
    ).toEqual([]);
    for (const path of [`docs/${name}.md`, `stacks/Pulumi.${name}.yaml`]) expect(existsSync(join(PROJECT, path)), path).toBe(true);
  }
});

test("no link leads nowhere", () => {
  const dead = PAGES.flatMap((path) =>
    [...page(path).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !existsSync(join(PROJECT, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test("every file that the walk and the list of rooms name is there", () => {
  for (const name of ["docs/architecture.md", "CONTRIBUTING.md"]) {
    const named = [...page(name).matchAll(/`([a-z]+\/[\w./-]*)`/g)].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(10);
    expect(
      named.filter((path) => !existsSync(join(PROJECT, path))),
      name,
    ).toEqual([]);
  }
});

/** Terms of the glossary, in its order. */
const terms = [...page("docs/glossary.md").matchAll(/^- \*\*([^*]+)\*\*:/gm)].map((match) => match[1]!);

test("the glossary is alphabetical, and each of its terms is used by a page or a help text", () => {
  expect(terms.length).toBeGreaterThan(40);
  expect(terms).toEqual([...new Set(terms)].sort((a, b) => a.toLowerCase().localeCompare(b.toLowerCase(), "en")));
  const verbs = globSync("scripts/verbs/*.ts", { cwd: PROJECT }).flatMap((path) => literals(join(PROJECT, path)));
  const used = [...PAGES.filter((path) => path !== "docs/glossary.md").map(page), ...verbs.map(({ text }) => text)]
    .join("\n")
    .toLowerCase();
  expect(terms.filter((term) => !used.includes(term.toLowerCase()))).toEqual([]);
});

/** Lines of the pages, and texts of the sources in these folders, that match one of the words. */
function having(words: readonly RegExp[], folders: readonly string[]): { where: string; text: string }[] {
  const messages = globSync(`{${folders.join(",")}}/**/*.ts`, { cwd: PROJECT, exclude: (path) => path.includes("node_modules") }).flatMap(
    (path) => literals(join(PROJECT, path)).map(({ line, text }) => ({ where: `${path}:${line}`, text })),
  );
  const lines = PAGES.flatMap((path) =>
    page(path)
      .split("\n")
      .map((text, index) => ({ where: `${path}:${index + 1}`, text })),
  );
  return [...messages, ...lines].filter(({ text }) => words.some((word) => word.test(text)));
}

test("no page and no message has a retired word or a riddle", () => {
  const plain = ["scripts/verbs", "config", "state", "traffic", "workloads", "processes", "drill", "components"];
  expect(having(RETIRED, [...plain, "scripts", "systems", "rollout", "provider", "databases"])).toEqual([]);
  expect(having(RIDDLES, plain)).toEqual([]);
});
