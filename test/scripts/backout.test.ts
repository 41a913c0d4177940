import { describe, expect, it } from "vitest";
import { environment, runScript, scratch } from "./pulumi/scratch.ts";

describe("npm run backout, called in a way that cannot be meant", () => {
  it.each([
    ["an unknown verb", ["undue", "--json"], "unknown command 'undue'"],
    ["an unknown option", ["status", "--json", "--nope"], "unknown option '--nope'"],
    ["an argument that is missing", ["unblock", "--json"], "missing required argument 'release'"],
    ["a stack that does not exist", ["status", "--json", "--stack", "nowhere"], "nowhere"],
  ])("%s ends with 2, and with --json in one document", async (_, given, message) => {
    const here = await scratch();
    const { code, stdout } = await runScript("backout.ts", given, { cwd: here.project, env: environment(here) });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: { name: expect.any(String) as string, message: expect.stringContaining(message) as string },
    });
  });

  it("says so on standard error alone without it", async () => {
    const here = await scratch();
    const { code, stdout, stderr } = await runScript("backout.ts", ["status", "--nope"], { cwd: here.project, env: environment(here) });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/unknown option '--nope'\n[^]*--help/);
  });
});
