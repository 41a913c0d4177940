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
/** Phrases that have a plain word: unchanged, 503, found, fixes, resumes, unreachable, rolled back, fixed, reported. */
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
  /\b(?:is|are) told\b/i,
  /\bgo(?:es)? on where\b/i,
];
/** Every folder of sources. */
const SOURCES =
  "{bench,components,config,databases,drill,processes,provider,rollout,scripts,state,systems,traffic,workloads}/**/*.{ts,cjs,sql}";

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

test("the README leads to every page", () => {
  const pages = globSync("docs/*.md", { cwd: PROJECT });
  expect(pages.length).toBeGreaterThan(20);
  expect(pages.filter((path) => !page("README.md").includes(`](${path})`))).toEqual([]);
});

test("every file that the walk through a rollback and the list of folders name is there", () => {
  for (const name of ["docs/architecture.md", "CONTRIBUTING.md"]) {
    const named = [...page(name).matchAll(/`([a-z]+\/[\w./-]*)`/g)].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(10);
    expect(
      named.filter((path) => !existsSync(join(PROJECT, path))),
      name,
    ).toEqual([]);
  }
});

test("every name in brackets behind a file of the walk is in that file", () => {
  const named = [...page("docs/architecture.md").matchAll(/`([a-z]+\/[\w./-]*\.ts)` \(`(\w+)`/g)].map(
    (match) => [match[1]!, match[2]!] as const,
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter(([path, name]) => !new RegExp(`\\b${name}\\b`).test(page(path)))).toEqual([]);
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

interface Line {
  where: string;
  text: string;
}

const sources = globSync(SOURCES, { cwd: PROJECT, exclude: (path) => /(?:^|\/)(?:node_modules|releases)$/.test(path) });

const lines: Line[] = PAGES.flatMap((path) =>
  page(path)
    .split("\n")
    .map((text, index) => ({ where: `${path}:${index + 1}`, text })),
);

const having = (words: readonly RegExp[], texts: readonly Line[]): Line[] =>
  texts.filter(({ text }) => words.some((word) => word.test(text)));

test("no page and no message has a retired word", () => {
  const messages = sources
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) => literals(join(PROJECT, path)).map(({ line, text }) => ({ where: `${path}:${line}`, text })));
  expect(messages.length).toBeGreaterThan(1_000);
  // The changelog names an old term where it gives the new one: "`old` is `new`".
  const renamed = ({ where, text }: Line): Line => ({
    where,
    text: where.startsWith("CHANGELOG.md") ? text.replace(/`\w+` is (?=`)/g, "") : text,
  });
  expect(having(RETIRED, [...messages, ...lines.map(renamed)])).toEqual([]);
});

test("no page, no message and no comment has a riddle; what a system's policy quotes from its manual may", () => {
  const said = sources
    .filter((path) => !/^systems\/[^/]+\/policy\.ts$/.test(path))
    .flatMap((path) =>
      page(path)
        .replaceAll(/\n *(?:\*|\/\/|--) /g, " ")
        .split("\n")
        .map((text) => ({ where: path, text })),
    );
  expect(having(RIDDLES, [...said, ...lines])).toEqual([]);
});
