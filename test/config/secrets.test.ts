/** Where a secret comes from, and what is never taken in its place. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { commandOf } from "../../config/commands.ts";
import { definedSecret, heldSecret, makeSecrets, missingSecrets, rememberGiven, SecretMissingError } from "../../config/secrets.ts";
import { secretOf, servicesUrl } from "../../config/site.ts";
import { newFolder, newSite } from "../workloads/shop.ts";

/** As the machine has it: on the PATH, or through the package. */
const PULUMI = commandOf("/nowhere", "pulumi", "").trim();
const DEFINITION = { secrets: { stripe: {}, jwt: { generate: true as const } } };
const VARIABLES = ["BACKOUT_SECRET_STRIPE", "BACKOUT_SECRET_JWT"];
afterEach(() => VARIABLES.forEach((name) => Reflect.deleteProperty(process.env, name)));

test("one that is not set is never made up, and told with variable and file", () => {
  const site = { home: newFolder(), project: newFolder() };
  expect(() => definedSecret(site, DEFINITION, "stripe")).toThrow(SecretMissingError);
  expect(missingSecrets(site, DEFINITION, ["stripe", "jwt", "stripe"])).toEqual([
    `the secret "stripe" is not set: set the environment variable BACKOUT_SECRET_STRIPE, or write it into ${site.home}/secrets/stripe; or, for everybody who works on the stack, encrypt it in the stack file: \`${PULUMI} config set --secret --path backout:secrets.stripe\``,
  ]);
  expect(missingSecrets(site, {}, ["asked-for"])).toHaveLength(1);
  process.env["BACKOUT_SECRET_STRIPE"] = "";
  expect(missingSecrets(site, DEFINITION, ["stripe"]), "an empty variable is none").toHaveLength(1);
  process.env["BACKOUT_SECRET_STRIPE"] = "sk_live_123";
  expect(missingSecrets(site, DEFINITION, ["stripe"])).toEqual([]);
  expect(definedSecret(site, DEFINITION, "stripe")).toBe("sk_live_123");
  expect(existsSync(join(site.home, "secrets")), "what is given is kept nowhere").toBe(false);
});

test("looking makes nothing; one that may be made is made once and kept", () => {
  const site = { home: newFolder(), project: newFolder() };
  expect([heldSecret(site, "jwt"), missingSecrets(site, DEFINITION, ["jwt"]), readdirSync(site.home)]).toEqual([null, [], []]);
  makeSecrets(site, DEFINITION);
  expect(readdirSync(join(site.home, "secrets"))).toEqual(["jwt"]);
  const made = heldSecret(site, "jwt");
  makeSecrets(site, DEFINITION);
  expect([definedSecret(site, DEFINITION, "jwt"), secretOf(site, "jwt")]).toEqual([made, made]);
});

test("one that was given by the environment is not replaced by a made one when the variable is gone", () => {
  const site = { home: newFolder(), project: newFolder() };
  process.env["BACKOUT_SECRET_JWT"] = "of the identity provider";
  rememberGiven(site, ["jwt"]);
  Reflect.deleteProperty(process.env, "BACKOUT_SECRET_JWT");
  makeSecrets(site, DEFINITION);
  expect(existsSync(join(site.home, "secrets"))).toBe(false);
  expect(missingSecrets(site, DEFINITION, ["jwt"])).toEqual([
    `the secret "jwt" is not set: BACKOUT_SECRET_JWT was set when this stack was last updated. Set it again; or, to use another value, remove ${site.home}/given-secrets/jwt`,
  ]);
});

test("what a person wrote into its file counts as set", () => {
  const site = { home: newFolder(), project: newFolder() };
  secretOf(site, "database");
  writeFileSync(join(site.home, "secrets", "stripe"), "sk_live_123\n");
  expect([missingSecrets(site, DEFINITION, ["stripe", "database"]), definedSecret(site, DEFINITION, "stripe")]).toEqual([
    [],
    "sk_live_123",
  ]);
});

test("a service's address of its database is one that a parser reads, whatever the server's host is", async () => {
  for (const host of ["127.0.0.1", "db.internal", "::1"]) {
    const server = { embedded: false as const, host, port: 5433, user: "admin", driver: "dump" as const, databases: {} };
    const url = new URL(servicesUrl(await newSite({ server }), "shop"));
    expect([url.hostname.replace(/^\[|\]$/g, ""), url.port]).toEqual([host, "5433"]);
  }
});
