/** Pages that list something list all of it, and what they link to is there. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { CONFIG_KEYS } from "../../config/schema.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { PROJECT } from "../requirements/requirements.ts";

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
  const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: PROJECT })];
  const dead = pages.flatMap((path) =>
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
