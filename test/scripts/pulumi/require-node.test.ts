import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REPOSITORY } from "./scratch.ts";

const CHECK = join(REPOSITORY, "scripts", "pulumi", "require-node.cjs");

/** The check, run by a Node that says it is of another version. */
function asNode(version: string) {
  const program = `Object.defineProperty(process, "versions", { value: { node: "${version}" } }); require(${JSON.stringify(CHECK)}); console.log("went on")`;
  return spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
}

describe("the check of Node's version before the Pulumi program", () => {
  it.each(["18.20.4", "20.20.2", "21.7.3", "22.17.9"])(
    "stops under Node %s with one line and the code that keeps Pulumi quiet",
    (version) => {
      const { status, stdout, stderr } = asNode(version);
      expect(status).toBe(32);
      expect(stdout).toBe("");
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(`this is Node ${version}`);
      expect(stderr).toContain("npm run pulumi");
    },
  );

  it("stops a verb under an old Node with one line, as refused", () => {
    const older = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.20.2"}});process.argv[1]="/bin/backout"`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", older, join(REPOSITORY, "scripts", "backout.ts"), "status"],
      {
        encoding: "utf8",
      },
    );
    expect({ status, stdout, lines: stderr.trim().split("\n").length }).toEqual({ status: 3, stdout: "", lines: 1 });
    expect(stderr).toContain("put a newer Node first on your PATH");
    expect(stderr).not.toContain("npm run");
  });

  it("leaves TypeScript and npm's resolver unloaded until a function is serialised", () => {
    const program = `
      require(${JSON.stringify(CHECK)});
      const { runtime } = require("@pulumi/pulumi");
      const late = () => Object.keys(require.cache).filter((file) => /node_modules.(typescript|@npmcli.arborist)./.test(file)).length;
      const before = late();
      runtime.serializeFunction(() => 41 + 1).then(({ text }) => console.log(before, late() > 0, text.includes("41 + 1")));
    `;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", "-e", program], { cwd: REPOSITORY, encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "0 true true\n", stderr: "" });
  });

  it.each(["22.18.0", "22.20.1", "24.0.0", "100.1.0"])("lets Node %s through", (version) => {
    expect(asNode(version)).toMatchObject({ status: 0, stdout: "went on\n", stderr: "" });
  });
});
