/** Which files `init` writes, adds to or leaves as they are. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { RefusedError } from "../../config/errors.ts";
import { programFile } from "../../config/program.ts";
import { schemaOf, withSchemaLine } from "../../config/schema-line.ts";
import { stackFolder } from "../../config/stack-folder.ts";
import { jsonOf, textOf } from "./files.ts";
import type { Found } from "./found.ts";
import { programText } from "./program-text.ts";
import { addedTo, newProjectFile, projectText, providerFolder } from "./project-file.ts";
import { missingKeys, stackKeys, stackText } from "./stack-text.ts";

export interface PlannedFile {
  /** Relative to the folder. */
  path: string;
  did: "written" | "changed" | "unchanged";
  text: string;
}

export interface Plan {
  files: PlannedFile[];
  /** What a person has to add to files that are left as they are. */
  byHand: string[];
}

/** Where the program of a project is. */
export interface ProgramPlace {
  /** Absolute path of the file that the engine runs. */
  main: string;
  /** Absolute path of the file that declares the system. */
  file: string;
  /** It declares a system already. */
  declares: boolean;
}

const IMPORTS = /from\s+["']backout["']|import\(["']backout["']\)/;

/** @throws RefusedError for a project file of another name */
export function programPlace(folder: string): ProgramPlace {
  const project = projectText(folder);
  if (project?.file === "Pulumi.yml")
    throw new RefusedError("Pulumi.yml: rename it to Pulumi.yaml, which backout reads. Nothing was written");
  if (project !== null) {
    const main = programFile(folder);
    if (!existsSync(main)) return { main, file: main, declares: false };
    if (IMPORTS.test(readFileSync(main, "utf8"))) return { main, file: main, declares: true };
    return { main, ...beside(dirname(main), folder) };
  }
  const place = beside(folder, folder);
  return { main: place.file, ...place };
}

/** A program of its own, by a name that nobody has. Node reads `.mts` as a module whatever package.json says. */
function beside(at: string, folder: string): Omit<ProgramPlace, "main"> {
  const names = ["program", "backout"].flatMap((name) => [`${name}.ts`, `${name}.mts`]).map((name) => join(at, name));
  const known = names.find((path) => existsSync(path) && IMPORTS.test(readFileSync(path, "utf8")));
  if (known !== undefined) return { file: known, declares: true };
  const ending = isModule(folder) ? ".ts" : ".mts";
  return { file: names.find((path) => path.endsWith(ending) && !existsSync(path)) ?? join(at, `system${ending}`), declares: false };
}

/** Without package.json one is written that says so. */
function isModule(folder: string): boolean {
  const text = textOf(folder, "package.json");
  return text === null || jsonOf<{ type?: string }>(text, "package.json").type === "module";
}

/** @throws InitFileError, StackFileError for a file that is there and wrong */
export function planFiles(folder: string, stack: string, found: Found, place: ProgramPlace): Plan {
  const byHand: string[] = [];
  const planned = (path: string, text: string): PlannedFile => {
    const there = textOf(folder, path);
    return { path, text: there ?? text, did: there === null ? "written" : "unchanged" };
  };
  const files = [projectFile(folder, found.system, place, byHand)];
  const from = dirname(place.file);
  const migrations = (at: string): string => relative(from, join(folder, at)) || ".";
  files.push(planned(relative(folder, place.file), programText(found, migrations)));
  const main = relative(folder, place.main);
  if (place.main !== place.file && !readFileSync(place.main, "utf8").includes(`./${basename(place.file)}`))
    byHand.push(`${main}: add \`import "./${basename(place.file)}";\`, or name ${relative(folder, place.file)} as \`main\` in Pulumi.yaml`);
  files.push(stackFile(folder, stack, found, byHand));
  files.push(planned("package.json", `${JSON.stringify({ name: found.system, private: true, type: "module" }, null, 2)}\n`));
  if (place.main === place.file && place.file.endsWith(".ts") && !isModule(folder)) byHand.push('package.json: set `"type": "module"`');
  files.push(planned(".gitignore", "node_modules/\n.backout/\nreleases/\n"));
  if (!/^\/?\.backout\b/m.test(files.at(-1)!.text))
    byHand.push(".gitignore: add `.backout/`: it holds the passphrase and secrets of this machine");
  if (found.services.some(({ image }) => image === undefined) && !/^\/?releases\b/m.test(files.at(-1)!.text))
    byHand.push(".gitignore: add `releases/`: it holds the copies that `release add` enters");
  return { files, byHand };
}

function projectFile(folder: string, system: string, place: ProgramPlace, byHand: string[]): PlannedFile {
  const project = projectText(folder);
  const provider = providerFolder(folder);
  if (project === null)
    return { path: "Pulumi.yaml", did: "written", text: newProjectFile(system, relative(folder, place.main), provider) };
  const ownProgram = existsSync(place.main);
  const change = addedTo(project.text, project.file, provider, ownProgram);
  byHand.push(...change.byHand);
  return { path: project.file, did: change.text === project.text ? "unchanged" : "changed", text: change.text };
}

function stackFile(folder: string, stack: string, found: Found, byHand: string[]): PlannedFile {
  const at = existsSync(join(folder, "Pulumi.yaml")) ? stackFolder(folder) : folder;
  const path = relative(folder, join(at, `Pulumi.${stack}.yaml`));
  const keys = stackKeys(found);
  const there = textOf(folder, path);
  if (there === null) return { path, did: "written", text: withSchemaLine(stackText(keys), at, schemaOf(folder)) };
  byHand.push(...missingKeys(there, path, keys).map((line) => `${path}: add \`${line}\` under \`config\``));
  return { path, did: "unchanged", text: there };
}
