import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

const ENDINGS = process.platform === "win32" ? [".exe", ".cmd"] : [""];

/** Full paths of all executables called `name` in the folders of `path`, in its order. */
export async function findExecutables(name: string, path: string = process.env["PATH"] ?? ""): Promise<string[]> {
  const found: string[] = [];
  for (const folder of path.split(delimiter).filter(Boolean)) {
    for (const ending of ENDINGS) {
      const file = join(folder, name + ending);
      if (await isExecutable(file)) found.push(file);
    }
  }
  return found;
}

export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
