/**
 * The house: which room may look into which, and that what is general names no system. A system is data in its own folder, and everything else would
 * work for any.
 */
import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import ts from "typescript";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadSystem, systemNames } from "../config/load-system.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where systems may be named: their own folders, stack files, documents and tests. */
const OF_SYSTEMS = ["systems", "stacks", "docs", "test", "node_modules", "dist", "reports"];
const ROOMS = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !OF_SYSTEMS.includes(entry.name))
  .map(({ name }) => name);

const systems = await Promise.all(systemNames().map(loadSystem));

/** Names no general code can have by chance: of systems in every spelling, of their tables, and of what they talk to. */
function telling(): RegExp[] {
  const spellings = [...systemNames(), "solar-panel", "orbis-forge", "of-bev", "pfa-vanguard", "service-center", "radiation-health"].map(
    (name) => name.replaceAll("-", "[- _]?"),
  );
  const tables = systems
    .flatMap(({ databases }) => Object.values(databases).flatMap((database) => database.tables))
    .filter((table) => table.includes("_"));
  return [...new Set([...spellings, ...tables, "\\bpems\\b", "\\bpfa\\b"])].map((pattern) => new RegExp(pattern, "i"));
}

test("components, provider and the shared rooms name no system", () => {
  expect(ROOMS).toEqual(expect.arrayContaining(["components", "config", "databases", "drill", "provider", "rollout", "scripts", "state"]));
  const patterns = telling();
  const found: string[] = [];
  for (const room of ROOMS)
    for (const entry of readdirSync(join(ROOT, room), { recursive: true, withFileTypes: true })) {
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

/** From the top down: a file imports from rooms that stand further down, and from its own. Those of one line do not know of each other. */
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

interface Arrow {
  from: string;
  to: string;
}

/** Every import of the sources that names a file of theirs: of types and dynamic ones as well. */
function arrows(): Arrow[] {
  const files = globSync(["*.ts", ...ROOMS.map((room) => `${room}/**/*.ts`), "systems/**/*.ts"], { cwd: ROOT }).filter(
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

const all = arrows();

function floorOf(file: string): { room: string; floor: number } {
  const places = ORDER.flatMap((rooms, floor) => rooms.map((room) => ({ room, floor })));
  const [place] = places
    .filter(({ room }) => file === room || file.startsWith(`${room}/`))
    .sort((one, other) => other.room.length - one.room.length);
  if (place === undefined) throw new Error(`${file} stands in no room of the order`);
  return place;
}

test("arrows between rooms run one way", () => {
  expect(all.length).toBeGreaterThan(1000);
  const against = all.filter(({ from, to }) => {
    const [here, there] = [floorOf(from), floorOf(to)];
    return here.room !== there.room && here.floor >= there.floor;
  });
  expect(against.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
});

/** The folders of an engine that each room may not name: what engines have in common lies in `databases/shared`, the choice in the registry. */
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

test("engines of databases keep apart, and no room above them names one", () => {
  const within = (file: string, folder: string): boolean => file.startsWith(`${folder}/`);
  const against = Object.entries(APART).flatMap(([folder, others]) => {
    const own = all.filter(({ from }) => within(from, folder));
    expect(own).not.toEqual([]);
    return own.filter(({ to }) => others.some((other) => within(to, other)));
  });
  expect(against.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
});

test("no files form a circle", () => {
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
