/** What is general names no system: a system is data in its own folder, and everything else would work for any. */
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadSystem, SYSTEM_NAMES } from "../systems/registry.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where systems may be named: their own folders, stack files, documents and tests. */
const OF_SYSTEMS = ["systems", "stacks", "docs", "test", "node_modules", "dist", "reports"];
const ROOMS = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !OF_SYSTEMS.includes(entry.name))
  .map(({ name }) => name);

const systems = await Promise.all(SYSTEM_NAMES.map(loadSystem));

/** Names no general code can have by chance: of systems in every spelling, of their tables, and of what they talk to. */
function telling(): RegExp[] {
  const spellings = [...SYSTEM_NAMES, "solar-panel", "orbis-forge", "of-bev", "pfa-vanguard", "service-center", "radiation-health"].map(
    (name) => name.replaceAll("-", "[- _]?"),
  );
  const tables = systems
    .flatMap(({ databases }) => Object.values(databases).flatMap((database) => database.tables))
    .filter((table) => table.includes("_"));
  return [...new Set([...spellings, ...tables, "\\bpems\\b", "\\bpfa\\b"])].map((pattern) => new RegExp(pattern, "i"));
}

test("components, provider and the shared rooms name no system", () => {
  expect(ROOMS).toEqual(expect.arrayContaining(["components", "provider", "crossing", "declared", "drill", "scripts", "verification"]));
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
