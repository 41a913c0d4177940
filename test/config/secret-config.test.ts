/** Configuration that is encrypted in the stack file: references where it is kept, values only where a service is started. */
import { expect, test } from "vitest";
import { editPins, encryptedKeys, rawConfig } from "../../config/edit.ts";
import { ConfigErrors } from "../../config/errors.ts";
import { parseConfig } from "../../config/parse.ts";
import { rolloutOf } from "../../config/pins.ts";
import { hideSecretConfig, plainConfig, requireNoOtherSecrets, revealed, SecretConfigUnknownError } from "../../config/secret-config.ts";
import { siteOf } from "../../config/site.ts";
import { newFolder } from "../workloads/shop.ts";
import { pinsOf, configOf, STACK } from "./sample.ts";

const MODE = { services: { worker: { config: { MODE: "hush-hush", PLAIN: "open" } } } };

test("pins hold references, the site the values; other values are other pins, and a reference alone is worth nothing", () => {
  const home = newFolder();
  const site = { ...siteOf(configOf(), "test", home), home };
  const pins = pinsOf(MODE);
  expect(hideSecretConfig(pins, site, ["serverPassword"])).toEqual({ pins, site });
  const hidden = hideSecretConfig(pins, site, ["services"]);
  expect(JSON.stringify(hidden.pins)).not.toMatch(/hush-hush|"open"/);
  const { config } = hidden.pins.services["worker"]!;
  expect(Object.keys(config)).toEqual(Object.keys(pins.services["worker"]!.config));
  expect(plainConfig(hidden.site, config)).toEqual(pins.services["worker"]!.config);
  expect(hideSecretConfig(pins, site, ["services"]).pins).toEqual(hidden.pins);
  const another = hideSecretConfig(pinsOf({ services: { worker: { config: { MODE: "another" } } } }), site, ["services"]);
  expect(rolloutOf(another.pins)).not.toBe(rolloutOf(hidden.pins));
  expect(() => plainConfig(another.site, config)).toThrow(SecretConfigUnknownError);
  expect(() => editPins(STACK, [{ path: ["services", "worker", "config"], value: config }])).toThrow(/MODE was a secret and is not stored/);
});

test("encrypted values are read from what the engine decrypted, at any depth", () => {
  const text =
    "config:\n  backout:services:\n    api:\n      config:\n        MODE:\n          secure: v1:abc\n        PLAIN: x\n  backout:serverPassword:\n    secure: v1:def\n";
  expect(encryptedKeys(text)).toEqual(["backout:services", "backout:serverPassword"]);
  expect(rawConfig(text)).toEqual({ "backout:services": { api: { config: { PLAIN: "x" } } } });
  const plain = new Map([
    ["v1:abc", "hush-hush"],
    ["v1:def", "12345"],
  ]);
  expect(rawConfig(text, undefined, plain)).toEqual({
    "backout:services": { api: { config: { MODE: "hush-hush", PLAIN: "x" } } },
    "backout:serverPassword": "12345",
  });
});

test("what is shown and recorded anyway cannot be a secret; no error tells a value of a secret key", () => {
  expect(() => requireNoOtherSecrets(["services", "releases", "server", "serverPassword"])).not.toThrow();
  expect(() => requireNoOtherSecrets(["incident"])).toThrow(ConfigErrors);
  const wrong = { ...rawConfig(STACK), "backout:services": { worker: { config: { MODE: ["hush-hush"] } } } };
  const said = (secret: string[]): string => {
    try {
      parseConfig(wrong, secret);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said([])).toContain("hush-hush");
  expect(said(["services"])).toMatch(/^backout:services\.worker\.config\.MODE: "\(not shown\)" is not allowed: must be a string$/);
});

test("what a reference stands for is found among what is declared now, and nowhere else", () => {
  const home = newFolder();
  const site = { ...siteOf(configOf(), "test", home), home };
  const pins = pinsOf({ services: { worker: { config: { MODE: "sk_live" } } } });
  const reference = hideSecretConfig(pins, site, ["services"]).pins.services["worker"]!.config["MODE"]!;
  expect(revealed(site, "MODE", reference, [{ MODE: null }, { OTHER: "sk_live" }, { MODE: "sk_live" }])).toBe("sk_live");
  expect(revealed(site, "MODE", reference, [{ MODE: "another" }])).toBeNull();
  expect(revealed(site, "MODE", "plain", [])).toBe("plain");
});
