import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { archiveTo, manifestDifferences, writeManifest } from "../../state/evidence-folder.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "backout-evidence-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MANIFEST = { runId: "run-1", anchor: "anchor-1", success: false, captures: [] };

test("the manifest knows every file by its hash, and sees what was changed, taken away or added", async () => {
  writeFileSync(join(folder, "health.json"), "{}");
  writeFileSync(join(folder, "counts.txt"), "projects 3");
  const { files, success } = await writeManifest(folder, MANIFEST);
  expect(files.map(({ file }) => file)).toEqual(["counts.txt", "health.json"]);
  expect(files[1]?.sha256).toBe("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  expect(success).toBe(false);
  expect(await manifestDifferences(folder)).toEqual([]);
  writeFileSync(join(folder, "health.json"), '{"status":"healthy"}');
  writeFileSync(join(folder, "more.txt"), "added");
  rmSync(join(folder, "counts.txt"));
  expect(await manifestDifferences(folder)).toEqual([
    "more.txt is not in the manifest",
    "counts.txt is missing",
    "health.json was changed",
  ]);
});

test("the archive is the same folder under the run's own name, also the second time", async () => {
  writeFileSync(join(folder, "health.json"), "{}");
  const archive = join(folder, "..", `${folder.split("/").at(-1)}-archive`, "anchor-1");
  try {
    for (const content of ["{}", '{"again":true}']) {
      writeFileSync(join(folder, "health.json"), content);
      await writeManifest(folder, MANIFEST);
      archiveTo(folder, archive);
      expect(await manifestDifferences(archive)).toEqual([]);
      expect(readFileSync(join(archive, "health.json"), "utf8")).toBe(content);
    }
  } finally {
    rmSync(join(archive, ".."), { recursive: true, force: true });
  }
});
