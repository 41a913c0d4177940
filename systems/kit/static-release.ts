/** Makes the release folder of a static service: its files with `{{release}}` filled in, and `version.json`. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface StaticRelease {
  release: string;
  /** Folders with the files of the release; a file in a later folder replaces one of the same name. No subfolders. */
  sources: string[];
  /** Requests that the pages need, e.g. `/api/records?limit=1`. */
  requires: string[];
}

/** Content of `version.json`. */
export interface VersionFile {
  version: string;
  /** sha256 by file name, hexadecimal. */
  files: Record<string, string>;
  requires: string[];
}

/** The files of a release by name. */
export function staticReleaseFiles(options: StaticRelease): Record<string, string> {
  const files: Record<string, string> = {};
  for (const source of options.sources)
    for (const name of readdirSync(source).sort())
      files[name] = readFileSync(join(source, name), "utf8").replaceAll("{{release}}", options.release);
  const version: VersionFile = {
    version: options.release,
    files: Object.fromEntries(Object.entries(files).map(([name, content]) => [name, createHash("sha256").update(content).digest("hex")])),
    requires: options.requires,
  };
  return { ...files, "version.json": `${JSON.stringify(version, null, 2)}\n` };
}

/** Writes a release folder; files of an earlier one are removed. */
export function writeStaticRelease(folder: string, options: StaticRelease): void {
  const files = staticReleaseFiles(options);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
}
