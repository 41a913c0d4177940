/** The commit that a folder was built from. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export type Head = { commit: string } | { none: string };

/**
 * HEAD of the repository that holds a folder, if nothing in it differs from that commit.
 * @param except files and folders whose changes do not count
 */
export async function headOf(folder: string, except: readonly string[]): Promise<Head> {
  const git = async (...words: string[]): Promise<string | null> => {
    try {
      return (await promisify(execFile)("git", ["-C", folder, ...words], { maxBuffer: 64 * 1024 * 1024 })).stdout.trim();
    } catch {
      return null;
    }
  };
  const top = await git("rev-parse", "--show-toplevel");
  const commit = top === null ? null : await git("rev-parse", "--verify", "HEAD");
  if (commit === null) return { none: "its folder is in no git repository with a commit" };
  const changed = await git("status", "--porcelain", "--", ":/", ...except.map((path) => `:(exclude)${path}`));
  if (changed !== "") return { none: "the git repository has changes that are not committed" };
  return { commit };
}
