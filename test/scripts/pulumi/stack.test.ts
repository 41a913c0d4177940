/** The stack file between what a verb reads and what it writes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStack, StackChangedError, writeStack } from "../../../scripts/pulumi/stack.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "backout-stack-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const found = (text: string) => {
  const file = join(folder, "Pulumi.shop.yaml");
  writeFileSync(file, text);
  return { project: folder, stack: "shop", file, text };
};

test("what somebody wrote since it was read stays, and the difference is told", () => {
  const read = found("config:\n  backout:release: v1\n");
  writeFileSync(read.file, "config:\n  backout:release: v1\n  backout:exact: true\n");
  expect(() => writeStack(read, "config:\n  backout:release: v2\n")).toThrow(StackChangedError);
  expect(() => writeStack(read, "config:\n  backout:release: v2\n")).toThrow(/was changed meanwhile[^]*\n\+ {3}backout:exact: true/);
  expect(readFileSync(read.file, "utf8")).toContain("backout:exact: true");
});

test("the engine's salt is no change of anybody's, and survives", () => {
  const read = found("config:\n  backout:release: v1\n");
  writeFileSync(read.file, `${read.text}encryptionsalt: v1:abc=\n`);
  const now = writeStack(read, "config:\n  backout:release: v2\n");
  expect(readFileSync(read.file, "utf8")).toBe("config:\n  backout:release: v2\nencryptionsalt: v1:abc=\n");
  // And goes on from there.
  writeStack(now, now.text.replace("v2", "v3"));
  expect(readFileSync(read.file, "utf8")).toContain("v3");
});

test.each(["config: {}\n", "config:\n  backout:releases: {}\n", "config:\n  backout:releases:\n"])(
  "an empty ledger is refused with the command that enters a release: %j",
  async (text) => {
    await expect(openStack(found(text))).rejects.toThrow(
      /^the ledger backout:releases of shop is empty\. To enter the first release, run `npx backout release add <name> <folder or image> --stack shop`$/,
    );
  },
);
