/** Finds the program of a command as the operating system will, so that one that cannot be run is known before anything stops. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";

/** Where to look: names with a slash are relative to the folder; others are on the path, else in the folder. */
export interface Whereabouts {
  folder: string;
  /** Value of `PATH`. */
  path: string;
}

/** A program of a command cannot be run. */
export class ProgramError extends Error {
  readonly program: string;
  /** False: there is no such file; it may be one that a build makes. */
  readonly exists: boolean;
  constructor(program: string, exists: boolean, reason: string) {
    super(reason);
    this.name = "ProgramError";
    this.program = program;
    this.exists = exists;
  }
}

/** The absolute path of a program that can be run. @throws ProgramError with the fix */
export function findProgram(program: string, { folder, path }: Whereabouts): string {
  const isPath = program.includes("/");
  const onPath = isPath ? [] : path.split(delimiter).map((each) => resolve(folder, each, program));
  const candidates = [...onPath, resolve(folder, program)];
  const runnable = candidates.find((each) => isFile(each) && mayRun(each));
  if (runnable !== undefined) return withInterpreter(program, runnable, { folder, path });
  const there = candidates.find(isFile);
  if (there !== undefined)
    throw new ProgramError(
      program,
      true,
      `${there} is not executable: run \`chmod +x ${there}\`, which leaves its sha256 as it is, or name its interpreter first, e.g. "sh"`,
    );
  const folderOfThatName = candidates.find((each) => statSync(each, { throwIfNoEntry: false })?.isDirectory() === true && isPath);
  throw new ProgramError(
    program,
    folderOfThatName !== undefined,
    folderOfThatName !== undefined
      ? `${folderOfThatName} is a folder: name the program in it`
      : isPath
        ? `"${program}" not found in ${folder}: correct the name, or add the file to the release`
        : `"${program}" not found, neither on the PATH nor in ${folder}: install it on this machine, or correct the name`,
  );
}

/** A script whose interpreter is missing fails as if the script itself were. */
function withInterpreter(program: string, file: string, where: Whereabouts): string {
  const [interpreter, argument] = shebangOf(file);
  if (interpreter === undefined) return file;
  const byName = basename(interpreter) === "env" && argument !== undefined && /^[^-=][^=]*$/.test(argument);
  const needed = byName ? argument : interpreter;
  const candidates = byName ? where.path.split(delimiter).map((each) => join(each, argument)) : [interpreter];
  if (candidates.some((each) => isFile(each) && mayRun(each))) return file;
  throw new ProgramError(program, true, `${file} needs the interpreter "${needed}", which is not on this machine: install it`);
}

/** Interpreter and first argument of a script; empty for other programs. */
function shebangOf(file: string): string[] {
  const start = Buffer.alloc(256);
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return [];
  }
  try {
    const length = readSync(descriptor, start, 0, start.length, 0);
    const [line = ""] = start.subarray(0, length).toString("latin1").split("\n");
    return line.startsWith("#!") ? line.slice(2).trim().split(/\s+/).filter(Boolean) : [];
  } finally {
    closeSync(descriptor);
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

/** Whether it is there and may be run. */
export function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
