/** A program that cannot be run is known by name, with the fix, before it is started. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findProgram, ProgramError } from "../../processes/program.ts";
import { newFolder } from "./machine.ts";

function script(folder: string, name: string, text: string, mode = 0o755): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), mode);
  return join(folder, name);
}

test("a name is looked for on the path, then in the folder; a name with a slash only in the folder", () => {
  const folder = newFolder();
  const path = `${join(folder, "one")}:${join(folder, "two")}`;
  const onPath = script(join(folder, "two"), "serve", "#!/bin/sh\n");
  const own = script(join(folder, "work"), "serve", "#!/bin/sh\n");
  const other = script(join(folder, "work"), "other", "#!/bin/sh\n");
  const where = { folder: join(folder, "work"), path };
  expect(findProgram("serve", where)).toBe(onPath);
  expect(findProgram("./serve", where)).toBe(own);
  expect(findProgram("other", where)).toBe(other);
  expect(findProgram(onPath, where)).toBe(onPath);
  // As the operating system does: what may not be run is passed over.
  script(join(folder, "one"), "serve", "#!/bin/sh\n", 0o644);
  expect(findProgram("serve", where)).toBe(onPath);
});

test("what is missing, a folder, not executable or without its interpreter is refused by name with the fix", () => {
  const folder = newFolder();
  const where = { folder, path: "/usr/bin:/bin" };
  const refused = (program: string): ProgramError => {
    try {
      throw new Error(`found ${findProgram(program, where)}`);
    } catch (error) {
      if (error instanceof ProgramError) return error;
      throw error;
    }
  };
  expect(refused("no-such-server").message).toBe(
    `"no-such-server" not found, neither on the PATH nor in ${folder}: install it on this machine, or correct the name`,
  );
  expect(refused("bin/serve")).toMatchObject({
    exists: false,
    message: `"bin/serve" not found in ${folder}: correct the name, or add the file to the release`,
  });
  mkdirSync(join(folder, "bin"));
  expect(refused("./bin").message).toBe(`${folder}/bin is a folder: name the program in it`);
  const plain = script(folder, "plain.sh", "#!/bin/sh\n", 0o644);
  expect(refused("./plain.sh")).toMatchObject({ exists: true });
  expect(refused("./plain.sh").message).toContain(`${plain} is not executable: run \`chmod +x ${plain}\``);
  const odd = script(folder, "odd", "#!/opt/nowhere/python9 -u\n");
  expect(refused("./odd").message).toBe(`${odd} needs the interpreter "/opt/nowhere/python9", which is not on this machine: install it`);
  script(folder, "odder", "#!/usr/bin/env no-such-language\n");
  expect(refused("./odder").message).toContain('the interpreter "no-such-language"');
  expect(findProgram(script(folder, "fine", "#!/usr/bin/env sh\n"), where)).toBe(join(folder, "fine"));
});
