/**
 * The layers: which folder may import from which, and that general code names no system. A system is data in its own folder; all other code works
 * for any system.
 */
import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import ts from "typescript";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadSystem, systemNames } from "../config/load-system.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Folders that may name systems: their own, stack files, documents and tests. */
const OF_SYSTEMS = ["systems", "stacks", "docs", "test", "node_modules", "dist", "reports"];
const FOLDERS = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !OF_SYSTEMS.includes(entry.name))
  .map(({ name }) => name);

const systems = await Promise.all(systemNames().map(loadSystem));

/** Names that general code cannot contain by chance: systems in every spelling, their tables, and the services they call. */
function systemNamePatterns(): RegExp[] {
  const spellings = [...systemNames(), "solar-panel", "orbis-forge", "of-bev", "pfa-vanguard", "service-center", "radiation-health"].map(
    (name) => name.replaceAll("-", "[- _]?"),
  );
  const tables = systems
    .flatMap(({ databases }) => Object.values(databases).flatMap((database) => database.tables))
    .filter((table) => table.includes("_"));
  return [...new Set([...spellings, ...tables, "\\bpems\\b", "\\bpfa\\b"])].map((pattern) => new RegExp(pattern, "i"));
}

test("components, provider and the shared folders name no system", () => {
  expect(FOLDERS).toEqual(
    expect.arrayContaining(["components", "config", "databases", "drill", "provider", "rollout", "scripts", "state"]),
  );
  const patterns = systemNamePatterns();
  const found: string[] = [];
  for (const folder of FOLDERS)
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.parentPath.split(sep).includes("node_modules")) continue;
      const file = join(entry.parentPath, entry.name);
      const lines = readFileSync(file, "utf8").split("\n");
      lines.forEach((line, index) => {
        const named = patterns.find((pattern) => pattern.test(line));
        if (named !== undefined) found.push(`${file.slice(ROOT.length)}:${index + 1} (${named.source}): ${line.trim().slice(0, 120)}`);
      });
    }
  expect(found).toEqual([]);
});

/** From the top down: a file imports from folders further down, and from its own. Folders of one line do not import from each other. */
const ORDER = [
  ["index.ts", "scripts"],
  ["drill"],
  ["scripts/pulumi", "systems"],
  ["components", "provider"],
  ["rollout"],
  ["databases", "traffic", "workloads"],
  ["state"],
  ["config"],
  ["processes"],
];

interface Import {
  from: string;
  to: string;
}

/** Every import of one source file by another, types and dynamic imports included. */
function imports(): Import[] {
  const files = globSync(["*.ts", ...FOLDERS.map((folder) => `${folder}/**/*.ts`), "systems/**/*.ts"], { cwd: ROOT }).filter(
    (file) => !/^(bench|vitest\.config)|(^|\/)(node_modules|releases)\//.test(file),
  );
  return files.flatMap((from) => {
    const source = ts.createSourceFile(from, readFileSync(join(ROOT, from), "utf8"), ts.ScriptTarget.Latest);
    const named: string[] = [];
    const visit = (node: ts.Node): void => {
      const specifier =
        ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
          ? node.moduleSpecifier
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
              ? node.argument.literal
              : undefined;
      if (specifier !== undefined && ts.isStringLiteral(specifier) && specifier.text.startsWith(".")) named.push(specifier.text);
      ts.forEachChild(node, visit);
    };
    visit(source);
    return named.map((name) => ({ from, to: join(dirname(from), name) }));
  });
}

const all = imports();

function layerOf(file: string): { folder: string; layer: number } {
  const places = ORDER.flatMap((folders, layer) => folders.map((folder) => ({ folder, layer })));
  const [place] = places
    .filter(({ folder }) => file === folder || file.startsWith(`${folder}/`))
    .sort((one, other) => other.folder.length - one.folder.length);
  if (place === undefined) throw new Error(`${file} is in no folder of the order`);
  return place;
}

test("imports between folders go one way", () => {
  expect(all.length).toBeGreaterThan(1000);
  const against = all.filter(({ from, to }) => {
    const [here, there] = [layerOf(from), layerOf(to)];
    return here.folder !== there.folder && here.layer >= there.layer;
  });
  expect(against.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
});

/** Per folder, the engines it may not import: what engines have in common is in `databases/shared`, the choice in the registry. */
const ENGINES = ["databases/postgres", "databases/in-place", "databases/sqlite"];
const APART: Record<string, string[]> = {
  rollout: ENGINES,
  provider: ENGINES,
  components: ENGINES,
  "databases/shared": ENGINES,
  "databases/sqlite": ["databases/postgres", "databases/in-place"],
  "databases/postgres": ["databases/sqlite", "databases/in-place"],
  "databases/in-place": ["databases/sqlite"],
};

test("database engines do not import each other, and no folder above them imports one", () => {
  const within = (file: string, folder: string): boolean => file.startsWith(`${folder}/`);
  const against = Object.entries(APART).flatMap(([folder, others]) => {
    const own = all.filter(({ from }) => within(from, folder));
    expect(own).not.toEqual([]);
    return own.filter(({ to }) => others.some((other) => within(to, other)));
  });
  expect(against.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
});

test("no files import each other in a circle", () => {
  const left = new Map<string, Set<string>>();
  for (const { from, to } of all) left.set(from, (left.get(from) ?? new Set()).add(to));
  // What imports nothing that is left is no part of a circle.
  for (let done = false; !done;) {
    done = true;
    for (const [from, targets] of left) {
      for (const to of targets) if (!left.has(to)) targets.delete(to);
      if (targets.size > 0) continue;
      left.delete(from);
      done = false;
    }
  }
  expect(Object.fromEntries([...left].map(([from, targets]) => [from, [...targets]]))).toEqual({});
});

test("a file has 300 lines at most, or says in its head why not", () => {
  const long = globSync("**/*.ts", { cwd: ROOT, exclude: ["node_modules/**", "dist/**", "reports/**", ".backout/**"] }).filter((file) => {
    const lines = readFileSync(join(ROOT, file), "utf8").trimEnd().split("\n");
    return lines.length > 300 && !lines.slice(0, 12).some((line) => line.startsWith("// Longer than 300 lines: "));
  });
  expect(long).toEqual([]);
});
