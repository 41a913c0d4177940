/** The swap of two files by names alone, with and without second names, interrupted at each point. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { identityOf } from "../../../databases/sqlite/identity.ts";
import { progressOf, StrangerInPlaceError, swapFiles, undoSwap, type Names } from "../../../databases/sqlite/swap.ts";

let folder: string;
let names: Names;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-swap-"));
  const [live, replacement, quarantine] = ["live.db", "standby.db", "copies/quarantine.db"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(live, "old");
  writeFileSync(replacement, "new");
  names = { live, replacement, quarantine, oldIdentity: identityOf(live)!, newIdentity: identityOf(replacement)! };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

class Interrupted extends Error {}
const interruptedAt = (wanted: string) => async (point: string) => {
  if (point === wanted) throw new Interrupted();
  return Promise.resolve();
};

describe.each([
  { links: true, how: "with second names" },
  { links: false, how: "by two renames" },
])("$how", ({ links }) => {
  it.each(["before", "set aside", "renamed"] as const)("interrupted at %s, it goes on from there", async (point) => {
    await expect(swapFiles(names, { links, at: interruptedAt(point) })).rejects.toThrow(Interrupted);
    expect(progressOf(names)).toBe(point === "before" ? "not begun" : point === "renamed" ? "swapped" : "set aside");
    if (links) expect(existsSync(names.live)).toBe(true);
    await swapFiles(names, { links });
    await swapFiles(names, { links });
    expect([readFileSync(names.live, "utf8"), readFileSync(names.quarantine, "utf8"), existsSync(names.replacement)]).toEqual([
      "new",
      "old",
      false,
    ]);
  });

  it("undone, both are what they were, with what lay beside the live file", async () => {
    writeFileSync(`${names.live}-wal`, "log");
    await expect(swapFiles(names, { links, at: interruptedAt("set aside") })).rejects.toThrow(Interrupted);
    expect(existsSync(`${names.live}-wal`)).toBe(false);
    undoSwap(names);
    expect([progressOf(names), readFileSync(names.live, "utf8"), readFileSync(`${names.live}-wal`, "utf8")]).toEqual([
      "not begun",
      "old",
      "log",
    ]);
    expect(existsSync(names.quarantine)).toBe(false);
  });

  it("a stranger's file is never overwritten", async () => {
    await expect(swapFiles(names, { links, at: interruptedAt("set aside") })).rejects.toThrow(Interrupted);
    writeFileSync(`${names.live}.strange`, "strange");
    rmSync(names.live, { force: true });
    writeFileSync(names.live, "strange");
    await expect(swapFiles(names, { links })).rejects.toThrow(StrangerInPlaceError);
    expect(readFileSync(names.live, "utf8")).toBe("strange");
  });
});
