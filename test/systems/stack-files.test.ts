/** The stack files: each parses, its ledger says what the release folders hold, and the documents know it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../config/parse.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { rawConfig } from "../../config/edit.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILES = readdirSync(join(ROOT, "stacks")).filter((name) => /^Pulumi\..+\.yaml$/.test(name));
const text = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const declared = (file: string) => parseConfig(rawConfig(text(join("stacks", file))));

test("every system has a stack file of its name", () => {
  expect(FILES.map((file) => declared(file).system).sort()).toEqual([...systemNames()].sort());
  for (const file of FILES) expect(file).toBe(`Pulumi.${declared(file).system}.yaml`);
});

test("no two stacks want the same port", () => {
  const ports = FILES.flatMap((file) => {
    const { ports: own, server } = declared(file);
    return [...Object.values(own), ...(server?.embedded === true ? [server.port] : [])];
  });
  expect(ports.toSorted((a, b) => a - b)).toEqual([...new Set(ports)].sort((a, b) => a - b));
});

describe.each(FILES)("%s", (file) => {
  test("its pins resolve against its system, at the release a drill goes back to or from", async () => {
    const system = await loadSystem(declared(file).system!);
    const pins = resolvePins(declared(file), system);
    expect(Object.keys(pins.services).sort()).toEqual(Object.keys(system.services).sort());
    for (const release of [system.drill.from, system.drill.to]) expect(Object.keys(declared(file).releases)).toContain(release);
    expect(declared(file).freeze).toBeUndefined();
    expect(declared(file).blocked).toEqual({});
  });

  test("the ledger's hashes are those of the release folders", async () => {
    const entries = Object.entries(declared(file).releases).flatMap(([release, { services }]) =>
      Object.entries(services).flatMap(([service, { path, sha256 }]) =>
        path === undefined ? [] : [{ name: `${release} ${service}`, path, sha256 }],
      ),
    );
    expect(entries.length).toBeGreaterThan(0);
    for (const { name, path, sha256 } of entries) expect(await hashFolder(join(ROOT, path)), name).toBe(sha256);
  });

  test("holds no secret in plain text", () => {
    const { config } = parse(text(join("stacks", file))) as { config: Record<string, unknown> };
    for (const [key, value] of Object.entries(config)) if (/password|secret|token/i.test(key)) expect(value, key).toHaveProperty("secure");
  });
});

const DOCUMENTS = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => join("docs", name))].filter((name) =>
  name.endsWith(".md"),
);

test("each system is in the documents", () => {
  const all = DOCUMENTS.map(text).join("\n");
  expect(systemNames().filter((name) => !all.includes(name))).toEqual([]);
});
