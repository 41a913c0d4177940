/** Replaces the existing projects by an export from before the deployment. Its hash is pinned and always checked. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { RepairContext, RepairDefinition, RowsChanged } from "../../../config/system/repair.ts";
import { ImportRefusedError, importDocument, parseDocument } from "../program/json-operations.ts";

export const jsonImport: RepairDefinition = {
  title: "The projects of an exported document replace the existing ones",
  arguments: {
    file: { title: "pre_deployment_export.json of the deployment, relative to the project" },
    sha256: { title: "sha256 of that file, 64 hex digits, as in the manifest beside it" },
  },
  readsSnapshot: false,
  replaces: true,
  run: importFile,
};

async function importFile({ live, project, arguments: given }: RepairContext): Promise<Record<string, RowsChanged>> {
  const file = resolve(project, given["file"] ?? "");
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new ImportRefusedError(error.message);
  });
  const sha256 = createHash("sha256").update(text).digest("hex");
  if (sha256 !== given["sha256"]) throw new ImportRefusedError(`${file} has sha256 ${sha256}, pinned is ${given["sha256"]}`);
  const changed = await importDocument(live, parseDocument(text, true));
  const broken = await live.all("PRAGMA foreign_key_check");
  if (broken.length > 0) throw new ImportRefusedError(`${broken.length} rows would have no parent`);
  return changed;
}
