import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { schemaOf, withSchemaLine } from "../../config/schema-line.ts";

test("the schema is that of the installed package, also in a workspace above; else where it will be", () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-schema-"));
  const project = join(folder, "packages", "shop");
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "package.json"), '{"name": "shop"}');
  expect(schemaOf(project)).toBe(join(project, "node_modules/backout/schema/stack.json"));
  mkdirSync(join(folder, "node_modules", "backout"), { recursive: true });
  expect(schemaOf(project)).toBe(join(folder, "node_modules/backout/schema/stack.json"));
  mkdirSync(join(project, "node_modules", "backout"), { recursive: true });
  expect(schemaOf(project)).toBe(join(project, "node_modules/backout/schema/stack.json"));
  writeFileSync(join(project, "package.json"), '{"name": "backout"}');
  expect(schemaOf(project)).toBe(join(project, "schema/stack.json"));
});

test("a stack file begins with the line; a copy elsewhere gets its own, and a person's own schema stays", () => {
  const text = withSchemaLine("# Shop\nconfig: {}\n", "/shop/stacks", "/shop/node_modules/backout/schema/stack.json");
  expect(text).toBe("# yaml-language-server: $schema=../node_modules/backout/schema/stack.json\n# Shop\nconfig: {}\n");
  expect(withSchemaLine(text, "/shop", "/shop/node_modules/backout/schema/stack.json")).toBe(
    "# yaml-language-server: $schema=./node_modules/backout/schema/stack.json\n# Shop\nconfig: {}\n",
  );
  const own = "# yaml-language-server: $schema=https://shop.example/ours.json\nconfig: {}\n";
  expect(withSchemaLine(own, "/shop", "/shop/schema/stack.json")).toBe(own);
});
