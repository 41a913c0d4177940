import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigErrors, suggestion, type ConfigError } from "../../config/errors.ts";
import { parseConfig } from "../../config/parse.ts";
import { CONFIG_KEYS } from "../../config/schema.ts";
import { configOf, rawOf } from "./sample.ts";

function errorsOf(change: Record<string, unknown>): ConfigError[] {
  try {
    configOf(change);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors;
    throw error;
  }
  throw new Error("nothing was refused");
}

const release = (artefact: Record<string, unknown>) => ({ v1: { services: { backend: artefact } } });
const SHA = "ab".repeat(32);

describe("what is refused, by key, value and what is allowed", () => {
  it.each<[string, Record<string, unknown>, string, unknown, RegExp]>([
    ["an unknown target", { target: "kubernetes" }, "backout:target", "kubernetes", /must be `process` or `docker`/],
    ["an unknown schema policy", { schema: "drop" }, "backout:schema", "drop", /`keep` or `mark` or `down`/],
    ["an unknown way to carry rows", { newWrites: "lose" }, "backout:newWrites", "lose", /`export` or `reapply` or `reject`/],
    ["an unknown policy of standby copies", { standby: "maybe" }, "backout:standby", "maybe", /`deploy` or `always` or `never`/],
    [
      "components, as they were called",
      { components: { worker: { run: "off" } } },
      "backout:components",
      { worker: { run: "off" } },
      /^this key is now called `services`: rename it$/,
    ],
    ["arm, as it was called", { arm: "deploy" }, "backout:arm", "deploy", /^this key is now called `standby`: rename it$/],
    [
      "a module as the description, as it once was",
      { definition: "shop.ts" },
      "backout:definition",
      "shop.ts",
      /^this key is gone, the program describes the system: .*new System\(definition\.name, definition\)`, and remove `backout:definition` and `backout:system`$/,
    ],
    ["carry, as it was called", { carry: "export" }, "backout:carry", "export", /^this key is now called `newWrites`: rename it$/],
    [
      "components of a release",
      { releases: { v1: { components: { backend: { path: "a" } } } } },
      "backout:releases.v1.components",
      { backend: { path: "a" } },
      /^this key is now called `services`: rename it$/,
    ],
    [
      "component of a scope",
      { scope: { name: "service", component: "worker" } },
      "backout:scope.component",
      "worker",
      /^this key is now called `service`: rename it$/,
    ],
    ["no release", { release: undefined }, "backout:release", undefined, /must be a string/],
    ["no ledger", { releases: undefined }, "backout:releases", undefined, /must be a map/],
    ["an empty ledger", { releases: {} }, "backout:releases", {}, /at least one release/],
    ["a list for a map", { flags: ["sync"] }, "backout:flags", ["sync"], /must be a map/],
    ["a flag that is no switch", { flags: { sync: "perhaps" } }, "backout:flags.sync", "perhaps", /must be a boolean/],
    ["a port out of range", { ports: { backend: 70_000 } }, "backout:ports.backend", 70_000, /<=65535/],
    ["half a port", { ports: { backend: 80.5 } }, "backout:ports.backend", 80.5, /whole number/],
    ["a service neither on nor off", { services: { worker: { run: "paused" } } }, "backout:services.worker.run", "paused", /`on` or `off`/],
    ["an unknown maintenance", { maintenance: "closed" }, "backout:maintenance.mode", "closed", /`off` or `read-only` or `full`/],
    ["keeping no snapshot", { backups: { keep: 0 } }, "backout:backups.keep", 0, />=1/],
    ["a data pin with blanks", { data: "before v4" }, "backout:data", "before v4", /must be `current`, a snapshot/],
    ["generation 0", { data: "before-v4.0.0@0" }, "backout:data", "before-v4.0.0@0", /must be `current`, a snapshot/],
    ["again: 0", { data: { snapshot: "before-v4.0.0@1", again: 0 } }, "backout:data.again", 0, /counts from 1/],
    [
      "an image by tag",
      { releases: release({ image: "registry.example/app:latest" }) },
      "backout:releases.v1.services.backend.image",
      "registry.example/app:latest",
      /by digest.*a tag can move/,
    ],
    [
      "a short commit",
      { releases: release({ path: "a", sha256: SHA, commit: "abc1234" }) },
      "backout:releases.v1.services.backend.commit",
      "abc1234",
      /full 40-digit commit/,
    ],
    [
      "a short hash",
      { releases: release({ path: "a", sha256: "abc" }) },
      "backout:releases.v1.services.backend.sha256",
      "abc",
      /64 hex digits/,
    ],
    [
      "a path without its hash",
      { releases: release({ path: "a" }) },
      "backout:releases.v1.services.backend",
      { path: "a" },
      /`path` needs `sha256`/,
    ],
    [
      "a build that names nothing",
      { releases: release({}) },
      "backout:releases.v1.services.backend",
      {},
      /`path` with `sha256`, or `image` with a digest/,
    ],
    [
      "an external server without host",
      { server: { embedded: false, user: "admin" } },
      "backout:server.host",
      undefined,
      /must be a string/,
    ],
    ["a server port in words", { server: { embedded: true, port: "5432x" } }, "backout:server.port", "5432x", /must be a number/],
  ])("%s", (_what, change, key, value, allowed) => {
    const [error, ...more] = errorsOf(change);
    expect(more).toEqual([]);
    expect(error).toMatchObject({ name: "ConfigError", key, value });
    expect(error!.allowed).toMatch(allowed);
    const found = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
    expect(error!.message).toContain(value === undefined ? `${key} is missing: ` : `${key}: ${found} is not allowed: `);
  });

  it("a mistyped key names the one that is meant", () => {
    const [error] = errorsOf({ relese: "v3.0.0" });
    expect(error).toMatchObject({ key: "backout:relese", value: "v3.0.0" });
    expect(error!.message).toContain("did you mean `release`?");
    for (const key of CONFIG_KEYS) expect(error!.allowed).toContain(key);
  });

  it.each<[string, Record<string, unknown>, string, string[]]>([
    ["of a service's pin", { services: { worker: { rum: "off" } } }, "backout:services.worker.rum", ["`run`", "release", "config"]],
    [
      "of a build",
      { releases: release({ path: "a", sha: SHA, sha256: SHA }) },
      "backout:releases.v1.services.backend.sha",
      ["`sha256`", "path", "image", "commit"],
    ],
    ["of backups", { backups: { kep: 3 } }, "backout:backups.kep", ["`keep`", "quarantines", "snapshots"]],
    ["of the server", { server: { embedded: true, port: 5440, drivr: "dump" } }, "backout:server.drivr", ["`driver`", "port", "databases"]],
    ["of maintenance", { maintenance: { mode: "full", mesage: "Back soon" } }, "backout:maintenance.mesage", ["`message`", "mode"]],
  ])("a mistyped key inside a map names the one that is meant: %s", (_where, change, key, told) => {
    const errors = errorsOf(change);
    const error = errors.find((one) => one.key === key);
    expect(error, JSON.stringify(errors.map(({ message }) => message))).toBeDefined();
    for (const word of told) expect(error!.allowed).toContain(word);
    expect(error!.allowed).toContain(`did you mean ${told[0]}?`);
  });

  it("several at once are all told", () => {
    const errors = errorsOf({ target: "kubernetes", maintenence: "off", flags: { sync: 1 }, ports: { backend: 0, worker: -1 } });
    expect(errors.map(({ key }) => key).sort()).toEqual([
      "backout:flags.sync",
      "backout:maintenence",
      "backout:ports.backend",
      "backout:ports.worker",
      "backout:target",
    ]);
    expect(() => configOf({ target: "kubernetes", newWrites: "lose" })).toThrow(/backout:target.*\n.*backout:newWrites/);
  });

  it("a long value is cut, and the server's password is never shown", () => {
    expect(errorsOf({ target: "x".repeat(500) })[0]!.message.length).toBeLessThan(300);
    const [error] = errorsOf({ serverPassword: ["hunter2"] });
    expect(error!.key).toBe("backout:serverPassword");
    expect(`${error!.message} ${JSON.stringify(error!.value)}`).not.toContain("hunter2");
  });
});

describe("what is accepted", () => {
  it("`off` and `on` as words and as booleans", () => {
    for (const [off, on] of [
      ["off", "on"],
      [false, true],
      ["false", "true"],
    ])
      expect(
        configOf({
          services: { worker: { run: off === "false" ? false : off }, backend: { run: on === "true" ? true : on } },
          maintenance: off,
        }),
      ).toMatchObject({
        services: { worker: { run: "off" }, backend: { run: "on" } },
        maintenance: { mode: "off" },
      });
    expect(configOf({ maintenance: { mode: false } }).maintenance).toEqual({ mode: "off" });
  });

  it("the same as JSON text, as Pulumi hands it over", () => {
    const change = {
      services: { worker: { run: "off", config: { PORT: "80" } } },
      flags: { sync: false },
      data: { snapshot: "before-v4.0.0@2", again: 1 },
      exact: true,
    };
    const plain = rawOf(undefined, change);
    const asText = Object.fromEntries(
      Object.entries(plain).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    );
    expect(parseConfig(asText)).toEqual(parseConfig(plain));
  });

  it.each(["12345678", "true", "-1", "{not json", '["a"]', "99999999999999999999", "1e9"])(
    "a password that looks like something else: %s",
    (password) => {
      expect(configOf({ serverPassword: password }).serverPassword).toBe(password);
    },
  );

  it("a release named by a number, as Pulumi hands it over", () => {
    const releases = JSON.stringify({ 20251128: { services: { backend: { path: "a", sha256: SHA } } } });
    expect(configOf({ releases, release: "20251128" }).release).toBe("20251128");
  });

  it("keys of other namespaces are nobody's business here", () => {
    expect(parseConfig({ ...rawOf(), "aws:region": "eu-central-1", "other:release": 7 })).toEqual(parseConfig(rawOf()));
  });

  it("defaults: data as it is, schema kept, out of maintenance, rows exported", () => {
    const bare = configOf({
      data: undefined,
      schema: undefined,
      maintenance: undefined,
      backups: undefined,
      standby: undefined,
      newWrites: undefined,
      target: undefined,
    });
    expect(bare).toMatchObject({
      data: "current",
      schema: "keep",
      maintenance: { mode: "off" },
      backups: { keep: 3, quarantines: 3, snapshots: [] },
      standby: "deploy",
      newWrites: "export",
      target: "process",
      blocked: {},
      exact: false,
    });
  });

  it.each(["current", "before-v4.0.0", "before-v4.0.0@2", "quarantine:pfa_quarantine_3"])(
    "data pin %s, for one database and by name",
    (pin) => {
      expect(configOf({ data: pin }).data).toBe(pin);
      expect(configOf({ data: { pfa: pin } }).data).toEqual({ pfa: pin });
    },
  );

  it("an image by digest, with and without a name", () => {
    for (const image of [`registry.example:5000/team/app@sha256:${SHA}`, `sha256:${SHA}`])
      expect(configOf({ releases: release({ image }), release: "v1" }).releases["v1"]!.services["backend"]).toEqual({ image });
  });

  it("no image is ever accepted by a tag alone", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{1,6}(\/[a-z]{1,6})?(:[a-z0-9.]{1,8})?$/), (image) => {
        expect(() => configOf({ releases: release({ image }) })).toThrow(ConfigErrors);
      }),
      { numRuns: 50 },
    );
  });
});

describe("did you mean", () => {
  it.each([
    ["relase", "release"],
    ["v3.0", "v3.0.0"],
    ["WORKER", "worker"],
    ["frontned", "frontend"],
  ])("%s → %s", (given, meant) => {
    expect(suggestion(given, ["release", "v3.0.0", "worker", "frontend", "backend"])).toBe(` (did you mean \`${meant}\`?)`);
  });

  it("says nothing where nothing is near", () => {
    expect(suggestion("xyz", ["release", "worker"])).toBe("");
    expect(suggestion("prots", ["ports", "release"])).toBe(" (did you mean `ports`?)");
    expect(suggestion("anything", [])).toBe("");
    expect(suggestion("v3", ["v1"]), "two letters are near to any two").toBe("");
  });
});

it("a name that nobody reads to the end, or that a terminal takes for a command, is refused, and told so that it does nothing", () => {
  const [long] = errorsOf({ system: "x".repeat(1001) });
  expect(long?.message).toMatch(/^backout:system: "x+… is not allowed: must be at most 1000 characters$/);
  const [command] = errorsOf({ system: "\u001b[2J" });
  const [endless] = errorsOf({ backups: { keep: Infinity } });
  expect(endless?.message).toBe("backout:backups.keep: Infinity is not allowed: must be a number");
  expect(command?.message).toBe('backout:system: "\\u001b[2J" is not allowed: must hold no control characters');
});
