/** Configuration that is encrypted in the stack file: references where it is kept, values only where a component is started. */
import { expect, test } from "vitest";
import { editPins, encryptedKeys, rawConfig } from "../../config/edit.ts";
import { DeclaredStateErrors } from "../../config/errors.ts";
import { parseDeclared } from "../../config/parse.ts";
import { rolloutOf } from "../../config/pins.ts";
import { hideSecretConfig, plainConfig, requireNoOtherSecrets, revealed, SecretConfigUnknownError } from "../../config/secret-config.ts";
import { siteOf } from "../../config/site.ts";
import { newFolder } from "../workloads/shop.ts";
import { pinsOf, declaredOf, STACK } from "./sample.ts";

const MODE = { components: { worker: { config: { MODE: "hush-hush", PLAIN: "open" } } } };

test("pins hold references, the site the values; other values are other pins, and a reference alone is worth nothing", () => {
  const home = newFolder();
  const site = { ...siteOf(declaredOf(), "test", home), home };
  const pins = pinsOf(MODE);
  expect(hideSecretConfig(pins, site, ["serverPassword"])).toEqual({ pins, site });
  const hidden = hideSecretConfig(pins, site, ["components"]);
  expect(JSON.stringify(hidden.pins)).not.toMatch(/hush-hush|"open"/);
  const { config } = hidden.pins.components["worker"]!;
  expect(Object.keys(config)).toEqual(Object.keys(pins.components["worker"]!.config));
  expect(plainConfig(hidden.site, config)).toEqual(pins.components["worker"]!.config);
  expect(hideSecretConfig(pins, site, ["components"]).pins).toEqual(hidden.pins);
  const another = hideSecretConfig(pinsOf({ components: { worker: { config: { MODE: "another" } } } }), site, ["components"]);
  expect(rolloutOf(another.pins)).not.toBe(rolloutOf(hidden.pins));
  expect(() => plainConfig(another.site, config)).toThrow(SecretConfigUnknownError);
  expect(() => editPins(STACK, [{ path: ["components", "worker", "config"], value: config }])).toThrow(
    /MODE was a secret, and is kept nowhere/,
  );
});

test("encrypted values are read from what the engine decrypted, at any depth", () => {
  const text =
    "config:\n  backout:components:\n    api:\n      config:\n        MODE:\n          secure: v1:abc\n        PLAIN: x\n  backout:serverPassword:\n    secure: v1:def\n";
  expect(encryptedKeys(text)).toEqual(["backout:components", "backout:serverPassword"]);
  expect(rawConfig(text)).toEqual({ "backout:components": { api: { config: { PLAIN: "x" } } } });
  const plain = new Map([
    ["v1:abc", "hush-hush"],
    ["v1:def", "12345"],
  ]);
  expect(rawConfig(text, undefined, plain)).toEqual({
    "backout:components": { api: { config: { MODE: "hush-hush", PLAIN: "x" } } },
    "backout:serverPassword": "12345",
  });
});

test("what is shown and recorded anyway cannot be a secret; no error tells a value of a secret key", () => {
  expect(() => requireNoOtherSecrets(["components", "releases", "server", "serverPassword"])).not.toThrow();
  expect(() => requireNoOtherSecrets(["incident"])).toThrow(DeclaredStateErrors);
  const wrong = { ...rawConfig(STACK), "backout:components": { worker: { config: { MODE: ["hush-hush"] } } } };
  const said = (secret: string[]): string => {
    try {
      parseDeclared(wrong, secret);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said([])).toContain("hush-hush");
  expect(said(["components"])).toMatch(/^backout:components\.worker\.config\.MODE: "\(not shown\)" is not allowed: must be a string$/);
});

test("what a reference stands for is found among what is declared now, and nowhere else", () => {
  const home = newFolder();
  const site = { ...siteOf(declaredOf(), "test", home), home };
  const pins = pinsOf({ components: { worker: { config: { MODE: "sk_live" } } } });
  const reference = hideSecretConfig(pins, site, ["components"]).pins.components["worker"]!.config["MODE"]!;
  expect(revealed(site, "MODE", reference, [{ MODE: null }, { OTHER: "sk_live" }, { MODE: "sk_live" }])).toBe("sk_live");
  expect(revealed(site, "MODE", reference, [{ MODE: "another" }])).toBeNull();
  expect(revealed(site, "MODE", "plain", [])).toBe("plain");
});
