import { randomBytes } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";

/**
 * Makes `file` with `text`, readable by its owner only, unless there is one. A link appears at once with all its content, so that nobody reads
 * half of it. @returns whether it was made: of several at once by one alone
 */
export async function placeOnce(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
