/** What another machine needs of a stack's home, and paths that every clone reads as its own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placedIn, portable } from "../../config/portable-site.ts";
import { keepSalt, seal } from "../../config/seal.ts";
import { makeSecrets, missingSecrets } from "../../config/secrets.ts";
import { secretOf, type Site } from "../../config/site.ts";
import { takeKeys } from "../../components/recall.ts";
import { keysToKeep, lacksKeys, putKeys, recalledFrom, requireSameKeys, sharesKeys, stackKeys } from "../../config/stack-keys.ts";
import { newFolder } from "../workloads/shop.ts";

const DEFINITION = { secrets: { stripe: {}, jwt: { generate: true as const }, session: { generate: true as const } } };
const server = { embedded: false as const, host: "db", port: 5432, user: "admin" } as Site["server"];

function siteAt(home = newFolder()): Site {
  return { stack: "prod", system: "shop", module: null, project: home, home, target: "process", server: server!, ports: {}, files: {} };
}

test("another machine goes on with the salt and the generated secrets of the first, and with its own where it has some", () => {
  const [first, second] = [siteAt(), siteAt()];
  expect([stackKeys(first, DEFINITION), lacksKeys(first, DEFINITION)]).toEqual([null, true]);
  process.env["BACKOUT_SECRET_SESSION"] = "from outside";
  keepSalt(first);
  makeSecrets(first, DEFINITION);
  const keys = stackKeys(first, DEFINITION)!;
  Reflect.deleteProperty(process.env, "BACKOUT_SECRET_SESSION");
  expect(Object.keys(keys.secrets).sort()).toEqual(["database", "database-owner", "jwt"]);
  expect(keys.given).toEqual(["session"]);

  expect(seal(second, "value")).not.toBe(seal(first, "value"));
  putKeys(second, keys);
  expect(lacksKeys(second, DEFINITION)).toBe(false);
  expect(seal(second, "value")).toBe(seal(first, "value"));
  for (const name of ["database", "database-owner", "jwt"]) expect(secretOf(second, name)).toBe(secretOf(first, name));
  makeSecrets(second, DEFINITION);
  expect(existsSync(join(second.home, "secrets", "session")), "given on the first machine").toBe(false);
  expect(missingSecrets(second, DEFINITION, ["session"])).toEqual([
    expect.stringMatching(/BACKOUT_SECRET_SESSION was set when this stack was last/),
  ]);
  putKeys(second, { ...keys, salt: "other", secrets: { jwt: "other" } });
  expect(stackKeys(second, DEFINITION)).toEqual(keys);
  requireSameKeys(second, keys, stackKeys(second, DEFINITION));
  expect(() => requireSameKeys(second, { ...keys, secrets: { jwt: "other" } }, keys)).toThrow(
    `${second.home}/secrets/jwt: not what the backend keeps of stack prod, which another machine made. Nothing was changed. Remove this file`,
  );
  expect(sharesKeys({ server: { embedded: true, port: 5440 } as Site["server"] })).toBe(false);
});

test("they are read from an export of the engine's state", () => {
  const keys = { salt: "s", secrets: { jwt: "j" }, given: [] };
  const mark = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", plaintext: JSON.stringify(JSON.stringify(keys)) };
  const resources = [
    { type: "backout:index:Plan", outputs: {} },
    { type: "backout:index:TrafficGate", inputs: { stackId: "id" }, outputs: { stackId: "id", keys: mark } },
  ];
  expect(recalledFrom(JSON.stringify({ deployment: { resources } }))).toEqual({ stackId: "id", keys, hidden: false, unkept: false });
  const encrypted = [{ ...resources[1], outputs: { keys: { ...mark, plaintext: undefined, ciphertext: "v1:…" } } }];
  expect(recalledFrom(JSON.stringify({ deployment: { resources: encrypted } }))).toEqual({
    stackId: "id",
    keys: null,
    hidden: true,
    unkept: false,
  });
  for (const deployment of [null, {}, { resources: [resources[0]] }])
    expect(recalledFrom(JSON.stringify({ deployment }))).toEqual({ stackId: null, keys: null, hidden: false, unkept: false });
});

test("a home or a program that knows less takes nothing out of the engine's state", () => {
  const kept = { salt: "s", secrets: { jwt: "j", session: "x" }, given: ["stripe"] };
  expect(keysToKeep(kept, { salt: "s", secrets: { jwt: "j" }, given: [] })).toEqual(kept);
  expect(keysToKeep(kept, null)).toEqual(kept);
  expect(keysToKeep(null, kept)).toEqual(kept);
  expect(keysToKeep(kept, { salt: "s", secrets: { stripe: "k" }, given: [] })).toEqual({
    salt: "s",
    secrets: { jwt: "j", session: "x", stripe: "k" },
    given: [],
  });
});

test("where the engine's state has no keys of a stack that runs, none are made anew", () => {
  const deployed = { type: "backout:index:TrafficGate", outputs: { stackId: "id", pid: 12 } };
  const found = recalledFrom(JSON.stringify({ deployment: { resources: [deployed] } }));
  expect(() => takeKeys(siteAt(), found, found.keys)).toThrow(/deployed by an earlier version.* run `.*up --stack prod` there once/);
  const hidden = { stackId: "id", keys: null, hidden: true, unkept: false };
  expect(() => takeKeys(siteAt(), hidden, null)).toThrow("its keys are not shown");
  const halfMade = recalledFrom(JSON.stringify({ deployment: { resources: [{ ...deployed, outputs: { stackId: "id" } }] } }));
  expect(() => takeKeys(siteAt(), halfMade, null)).not.toThrow();
});

test("a path below the project is the same place in every clone; any other stays", () => {
  const site: Site = {
    ...siteAt("/one/shop"),
    home: "/one/shop/.backout/stacks/prod",
    module: "/one/shop/main.ts",
    files: { a: "/one/shop/data/a.db", b: "/srv/b.db" },
  };
  const kept = JSON.parse(JSON.stringify(portable(site))) as Site;
  expect(JSON.stringify(kept)).not.toContain("/one/");
  expect(placedIn(kept, "/one/shop")).toEqual(site);
  expect(placedIn(kept, "/two/clone")).toEqual({
    ...site,
    project: "/two/clone",
    home: "/two/clone/.backout/stacks/prod",
    module: "/two/clone/main.ts",
    files: { a: "/two/clone/data/a.db", b: "/srv/b.db" },
  });
  expect(placedIn(portable({ ...site, home: "/elsewhere" }), "/two/clone").home).toBe("/elsewhere");
  // The engine runs the program in a folder below the project.
  expect(placedIn(portable(site, "/one/shop/infra"), "/two/clone/infra").home).toBe("/two/clone/.backout/stacks/prod");
  const plain = { name: "shop", folder: "/one/shop/infra", given: {} };
  const other = placedIn(portable({ ...site, program: { project: "shop", config: {}, plain } }), "/two/clone");
  expect(other.program?.plain?.folder).toBe("/two/clone/infra");
});

test("a secret of the stack file counts as set, and is written to no file", () => {
  const site: Site = { ...siteAt(), secrets: { stripe: "sk_live_123" } };
  expect([missingSecrets(site, DEFINITION, ["stripe"]), secretOf(site, "stripe")]).toEqual([[], "sk_live_123"]);
  expect(existsSync(join(site.home, "secrets"))).toBe(false);
});
