import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asHolder, holderIn, thisProcess } from "../../processes/lock-holder.ts";

test("a lock's holder is named while it works, and nobody by a damaged file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-holder-"));
  try {
    const file = join(folder, "lock.json");
    expect(holderIn(file)).toBeNull();
    for (const damaged of ["", "{", "null", "12", "[]", "{}", '{"pid":"12"}']) {
      writeFileSync(file, damaged);
      expect(holderIn(file)).toBeNull();
    }
    await asHolder(file, thisProcess(), () => Promise.resolve(expect(holderIn(file)?.pid).toBe(process.pid)));
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
