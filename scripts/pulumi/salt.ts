/** The engine writes a salt into a stack's file when it makes the stack, which may be under version control: it is reported. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { stackFolder } from "../../config/stack-folder.ts";

/** Stack files of the project that have one. */
export function saltedFiles(project: string): string[] {
  const folder = stackFolder(project);
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => /^Pulumi\..+\.yaml$/.test(name)) : [];
  return files.map((name) => join(folder, name)).filter((file) => /^encryptionsalt:/m.test(readFileSync(file, "utf8")));
}

/** One line for each that has got one since. */
export function newSaltLines(project: string, before: readonly string[]): string[] {
  return saltedFiles(project)
    .filter((file) => !before.includes(file))
    .map(
      (file) =>
        `Pulumi added a line \`encryptionsalt\` to ${relative(project, file)} when it created the stack. It belongs to this project's passphrase: ` +
        `commit it together with the first secret. It holds nothing secret.`,
    );
}
