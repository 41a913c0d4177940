import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { ENGINE_VERSION, isSuitable, parseVersion } from "../../../scripts/pulumi/version.ts";

const suitable = (text: string) => {
  const version = parseVersion(text);
  return version !== undefined && isSuitable(version);
};

describe("the version of an engine", () => {
  it.each(["", "pulumi", "3", "3.259", "v3.x.0", "3.259.0 is out", "warning: a new version\nv3.259.0"])("%j is no version", (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });

  it.each(["v3.259.0", "3.259.0", "v3.259.0\n", "3.259.0-alpha.1720+dirty"])("%j is 3.259.0", (text) => {
    expect(parseVersion(text)).toEqual({ major: 3, minor: 259, patch: 0 });
  });

  it.each(["v2.999.9", "v3.226.9", "v4.0.0", "v4.300.0"])("%s is not suitable", (text) => expect(suitable(text)).toBe(false));
  it.each(["v3.227.0", "v3.227.1", "v3.259.0", "v3.1000.0"])("%s is suitable", (text) => expect(suitable(text)).toBe(true));

  it("is that of the Pulumi package, because the official release is chosen by it", () => {
    const { version } = createRequire(import.meta.url)("@pulumi/pulumi/package.json") as { version: string };
    expect(ENGINE_VERSION).toBe(version);
  });
});
