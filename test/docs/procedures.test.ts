import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import { PROJECT } from "../requirements/requirements.ts";
import { yamlDiff } from "./diff.ts";
import { diffOf, forgottenScopes, proceduresPage, readProcedures, type Described } from "./procedures.ts";

const procedures = readProcedures(PROJECT);
const systems: Described[] = await Promise.all(
  systemNames().map(async (name) => ({
    definition: await loadSystem(name),
    stack: readFileSync(join(PROJECT, "stacks", `Pulumi.${name}.yaml`), "utf8"),
    procedures: procedures[name] ?? [],
  })),
);

describe.each(systems)("the procedures of $definition.name", ({ definition, stack, procedures: own }) => {
  test("name every scope, and only scopes there are", () => {
    expect(forgottenScopes(definition, own)).toEqual([]);
    expect(own.flatMap(({ scope, after }) => [scope, after]).filter((name) => name !== undefined && !(name in definition.scopes))).toEqual(
      [],
    );
  });

  test("change at least one line each, unless they are a command that changes none", () => {
    const empty = own.filter((procedure) => procedure.run === undefined && diffOf(definition, stack, procedure).length === 0);
    expect(empty.map(({ procedure }) => procedure)).toEqual([]);
  });
});

test("docs/procedures.md is what scopes and stack files say (BACKOUT_WRITE_DOCS=1 writes it anew)", async () => {
  const file = join(PROJECT, "docs", "procedures.md");
  const page = await proceduresPage(systems);
  if (process.env["BACKOUT_WRITE_DOCS"] === "1") writeFileSync(file, page);
  expect(readFileSync(file, "utf8")).toBe(page);
});

test("a diff shows what changes below its parent keys, and nothing else", () => {
  const before =
    "config:\n  # a comment\n  a:release: v2\n  a:services:\n    worker:\n      run: on\n    site:\n      run: on\n  a:data: current\n";
  const after =
    "config:\n  a:release: v1\n  a:services:\n    worker:\n      run: off\n    site:\n      run: on\n  a:data: current\n  a:blocked:\n    v2: X\n";
  expect(yamlDiff(before, after)).toEqual([
    "-  a:release: v2",
    "+  a:release: v1",
    "   a:services:",
    "     worker:",
    "-      run: on",
    "+      run: off",
    "+  a:blocked:",
    "+    v2: X",
  ]);
});
