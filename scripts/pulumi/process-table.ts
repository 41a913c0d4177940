import { readFileSync } from "node:fs";

/** Whether a process runs. One that has ended and was not yet collected by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const state = fields(pid)?.[0];
  return state !== "Z" && state !== "X";
}

/** When the kernel started a process, to tell it from a later one with the same id; empty where the system does not say. */
export function startOf(pid: number): string {
  return fields(pid)?.[19] ?? "";
}

/** What follows the command's name in /proc/<pid>/stat; the name itself may hold spaces and brackets. */
function fields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
