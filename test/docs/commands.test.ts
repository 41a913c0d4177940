import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findEngine } from "../../scripts/pulumi/engine.ts";
import { ENGINE_VERSION } from "../../scripts/pulumi/version.ts";
import { PROJECT } from "../requirements/requirements.ts";
import { commandsIn, declaredVerbs, problemOf, runsOf } from "./commands.ts";

const read = (path: string): string => readFileSync(join(PROJECT, path), "utf8");
const verbs = await declaredVerbs(PROJECT);

/** Blocks of code, and code within a sentence. A heading in code is a message. */
const codeOf = (page: string): string[] => [
  ...[...page.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, text]) => text!),
  ...[...page.matchAll(/^ {4}\S.*$/gm)].map(([text]) => text),
  ...[...page.replaceAll(/^#.*$/gm, "").matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!),
];

test("every command of backout that a page shows exists, with its options", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: PROJECT })];
  const shown = pages.flatMap((path) => codeOf(read(path)).flatMap((code) => commandsIn(code).map((command) => ({ path, ...command }))));
  const own = shown.filter(({ tool }) => tool === "backout");
  expect(own.length).toBeGreaterThan(60);
  expect(
    own.flatMap(({ path, words }) => {
      const problem = problemOf(verbs, words);
      return problem === null ? [] : [`${path}: ${problem}`];
    }),
  ).toEqual([]);
});

test("a command with a mistyped verb or option is found", () => {
  const [command] = commandsIn("npx backout preview --stak shop");
  expect(problemOf(verbs, command!.words)).toBe("preview has no option --stak");
  expect(problemOf(verbs, ["roll-back"])).toBe("there is no verb roll-back");
});

test("the workflow that users copy is YAML, and its commands exist", async (context) => {
  const workflow = read("docs/workflow.yml");
  const commands = runsOf(workflow).flatMap(commandsIn);
  expect(commands.map(({ tool, words }) => `${tool} ${words[0]}`)).toEqual([
    "backout preview",
    "pulumi stack",
    "pulumi up",
    "backout status",
  ]);
  expect(commands.flatMap(({ tool, words }) => (tool === "backout" ? (problemOf(verbs, words) ?? []) : []))).toEqual([]);
  expect(workflow).toContain(`pulumi-version: ${ENGINE_VERSION}`);
  const engine = await findEngine();
  if (engine === undefined) return context.skip("no Pulumi engine on this machine yet: npm run setup");
  for (const { tool, words } of commands.filter((command) => command.tool === "pulumi")) {
    const help = execFileSync(engine.pulumi, [...words.filter((word) => /^[a-z]+$/.test(word)), "--help"], { encoding: "utf8" });
    const missing = words.filter((word) => word.startsWith("--") && !help.includes(`${word} `));
    expect(missing, `${tool} ${words.join(" ")}`).toEqual([]);
  }
});
