/** The JSON schema of stack files: up to date, accepts what backout accepts, names what it refuses. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { editPins, rawConfig } from "../../config/edit.ts";
import { schemaText, stackFileSchema } from "../../config/json-schema.ts";
import { parseConfig } from "../../config/parse.ts";
import { CONFIG_KEYS } from "../../config/schema.ts";
import { SCHEMA_FILE } from "../../config/schema-line.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STACKS = join(ROOT, "stacks");
const FILES = readdirSync(STACKS).filter((name) => /^Pulumi\..+\.yaml$/.test(name));
const text = (file: string): string => readFileSync(join(STACKS, file), "utf8");

const validate = new Ajv({ strict: false, allErrors: true }).compile(stackFileSchema());
/** Places and reasons, as an editor shows them; empty: it is valid. */
function problems(stackFile: string): string[] {
  return validate(parse(stackFile)) ? [] : validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`);
}

test("the published file is what the schema says now: `npm run build` writes it", () => {
  expect(readFileSync(join(ROOT, SCHEMA_FILE), "utf8")).toBe(schemaText());
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { files: string[] };
  expect(files).toContain(dirname(SCHEMA_FILE));
});

test("every key has a description, and none is left out", () => {
  const { properties } = (stackFileSchema() as { properties: { config: { properties: Record<string, { description?: string }> } } })
    .properties.config;
  expect(Object.keys(properties)).toEqual(CONFIG_KEYS.map((key) => `backout:${key}`));
  for (const [key, { description }] of Object.entries(properties)) expect(description, key).toMatch(/\S/);
});

describe.each(FILES)("%s", (file) => {
  test("is valid, and its first line names the schema", () => {
    expect(problems(text(file))).toEqual([]);
    const [, path] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text(file)) ?? [];
    expect(readFileSync(join(STACKS, path!), "utf8")).toBe(schemaText());
  });

  test("keeps that line in every edit", () => {
    const first = text(file).split("\n")[0];
    for (const edited of [
      editPins(text(file), [{ path: ["blocked", "v1"], value: "INC-1" }]),
      editPins(text(file), [{ path: ["system"], value: undefined }]),
      editPins(text(file), [{ path: ["releases"], value: undefined }]),
    ])
      expect(edited.split("\n")[0]).toBe(first);
  });
});

const BASE = `config:
  aws:region: eu-central-1
  backout:system: shop
  backout:release: v1
  backout:releases:
    v1: {services: {api: {path: api, sha256: ${"0f".repeat(32)}}}}
`;
const LEDGER = BASE.slice(BASE.indexOf("  backout:releases"));
const withLine = (line: string): string => `${BASE}  ${line}\n`;

/** What backout itself says; empty: it accepts it. */
function refused(stackFile: string): string {
  try {
    parseConfig(rawConfig(stackFile, undefined, new Map([["v1:abc", "hidden"]])));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  "backout:maintenance: off",
  "backout:maintenance: false",
  "backout:maintenance: {mode: read-only, message: Back soon}",
  "backout:freeze: off",
  "backout:freeze: {reason: holidays}",
  "backout:scope: full",
  "backout:scope: {name: service, service: api}",
  "backout:services: {api: {run: off, config: {MODE: null}}}",
  "backout:services: {api: {run: true}}",
  'backout:exact: "true"',
  "backout:adopt: true",
  "backout:data: before-V2@1",
  "backout:data: {shop: {repair: rows, with: {table: items}}}",
  "backout:data: {snapshot: before-v2@1, again: 2}",
  "backout:server: {embedded: true, port: 5440}",
  "backout:server: {host: db.example, user: backout, driver: in-place}",
  "backout:serverPassword: {secure: v1:abc}",
  "backout:services: {api: {config: {KEY: {secure: v1:abc}}}}",
  "backout:constraints: {positive: dropped, small: {state: enforced, definition: CHECK (a < 3)}}",
])("both accept `%s`", (line) => {
  expect(problems(withLine(line))).toEqual([]);
  expect(refused(withLine(line))).toBe("");
});

test.each([
  ["backout:relase: v1", "/config property name must be valid"],
  ["backout:target: kubernetes", "/config/backout:target must be equal to one of the allowed values"],
  ["backout:ports: {api: 70000}", "/config/backout:ports/api must be <= 65535"],
  ["backout:ports: {api: eighty}", "/config/backout:ports/api must be integer"],
  ["backout:services: {api: {runs: off}}", "/config/backout:services/api must NOT have additional properties"],
  ['backout:data: "quarantine:"', "/config/backout:data must match pattern"],
  ["backout:maintenance: readonly", "/config/backout:maintenance must be equal to one of the allowed values"],
  ["backout:freeze: {until: soak}", "/config/backout:freeze must have required property 'reason'"],
  ["backout:server: {embedded: true}", "/config/backout:server must have required property 'port'"],
])("both refuse `%s`", (line, problem) => {
  expect(problems(withLine(line)).join("\n")).toContain(problem);
  expect(refused(withLine(line))).not.toBe("");
});

test.each([
  [
    "a release without quotes that YAML reads as a number",
    BASE.replace("release: v1", "release: 1.0"),
    "/config/backout:release must be string",
  ],
  ["a path without its hash", BASE.replace(/, sha256: [0f]+/, ""), "must have property sha256 when property path is present"],
  ["a service without a build", BASE.replace(/\{path.*?\}/, "{}"), "must match a schema in anyOf"],
  ["an image by tag", BASE.replace(/\{path.*?\}/, "{image: shop:1.0}"), "/image must match pattern"],
  ["an empty ledger", BASE.replace(LEDGER, "  backout:releases: {}\n"), "must NOT have fewer than 1 properties"],
  ["no ledger", BASE.replace(LEDGER, ""), "must have required property 'backout:releases'"],
  ["a name that no release may have", BASE.replaceAll("v1", "v1/2"), "property name must be valid"],
])("both refuse %s", (_what, stackFile, problem) => {
  expect(problems(stackFile).join("\n")).toContain(problem);
  expect(refused(stackFile)).not.toBe("");
});
