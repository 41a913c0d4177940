import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BackoutProvider } from "../../provider/provider.ts";
import { VERSION } from "../../config/version.ts";

const asked = (token: string) => new BackoutProvider(VERSION, new Promise(() => undefined), () => () => undefined).invoke(token);

test("the version is the package's", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});

test("tells its version while its resources are still being loaded", async () => {
  expect(await asked("backout:index:getVersion")).toEqual({ outputs: { version: VERSION } });
});

test("refuses a function it does not have, naming the one it has", async () => {
  await expect(asked("backout:index:getWeather")).rejects.toThrow("backout:index:getWeather; known is backout:index:getVersion");
});
