/** Pulumi.yaml of a project that backout deploys: a new one, or what an existing one lacks. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isMap, type Document } from "yaml";
import { RefusedError } from "../../config/errors.ts";
import { yamlOf } from "./files.ts";

const PACKAGE = "backout";

/** Folder of the provider in the package that a project uses; of one that is not installed, the place where it will be. */
export function providerFolder(project: string): string {
  for (let folder = project; ; folder = dirname(folder)) {
    const installed = join(folder, "node_modules", PACKAGE);
    if (existsSync(installed))
      return relative(project, join(installed, existsSync(join(installed, "dist")) ? "dist/provider" : ownProvider(installed)));
    if (dirname(folder) === folder) return "node_modules/backout/dist/provider";
  }
}

/** Sources have the provider in their own folder, the package in `dist`. */
function ownProvider(installed: string): string {
  return existsSync(join(installed, "provider")) ? "provider" : "dist/provider";
}

/** Node strips the types itself, so that nothing is compiled; Node that is too old says so. */
export function newProjectFile(name: string, main: string, provider: string): string {
  return `name: ${JSON.stringify(name)}
description: Deployed and rolled back by backout
main: ${main}
runtime:
  name: nodejs
  options:
    # Node strips the types itself; nothing is compiled.
    typescript: false
    nodeargs: --require=backout/require-node
# State inside the project. A team names its bucket here, or sets PULUMI_BACKEND_URL.
backend:
  url: file://.backout/state?metadata=skip
plugins:
  providers:
    - name: ${PACKAGE}
      path: ${provider}
`;
}

export interface ProjectChange {
  text: string;
  /** What a person has to change. */
  byHand: string[];
}

/**
 * An existing file with the provider added.
 * @param ownProgram the project has a program, whose runtime is left alone
 * @throws InitFileError; RefusedError for another runtime than Node
 */
export function addedTo(text: string, file: string, provider: string, ownProgram: boolean): ProjectChange {
  const { document, value } = yamlOf(text, file);
  const { runtime, plugins } = (value ?? {}) as {
    runtime?: string | { name?: string; options?: { typescript?: boolean } };
    plugins?: { providers?: { name?: string }[] };
  };
  const language = typeof runtime === "object" ? runtime.name : runtime;
  if (language !== "nodejs")
    throw new RefusedError(
      `${file}: the runtime of this project is ${language ?? "missing"}, and backout's program is one for nodejs. ` +
        "Run `npx backout init` in a folder of its own, e.g. the folder of the system. Nothing was written",
    );
  const byHand: string[] = [];
  const stripped = typeof runtime === "object" && runtime.options?.typescript === false;
  let added = text;
  if (plugins?.providers?.some(({ name }) => name === PACKAGE) !== true) {
    addProvider(document, provider);
    added = written(document);
  }
  if (!stripped && ownProgram)
    byHand.push(
      "Pulumi.yaml: set `runtime.options.typescript: false`, so that Node strips the types itself; imports then name files with `.ts`",
    );
  if (!stripped && !ownProgram) {
    document.set(
      "runtime",
      document.createNode({ name: "nodejs", options: { ...(typeof runtime === "object" ? runtime.options : {}), typescript: false } }),
    );
    added = written(document);
  }
  return { text: added, byHand };
}

function addProvider(document: Document, provider: string): void {
  const entry = document.createNode({ name: PACKAGE, path: provider });
  if (!isMap(document.get("plugins", true))) document.set("plugins", document.createNode({}));
  if (document.getIn(["plugins", "providers"]) == null) document.setIn(["plugins", "providers"], document.createNode([]));
  document.addIn(["plugins", "providers"], entry);
}

function written(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

/** The text of a file of the project; null: there is none. */
export function projectText(folder: string): { file: string; text: string } | null {
  const file = ["Pulumi.yaml", "Pulumi.yml"].find((name) => existsSync(join(folder, name)));
  return file === undefined ? null : { file, text: readFileSync(join(folder, file), "utf8") };
}

/** Whether the package is installed where a program of the project finds it. */
export function isInstalled(project: string): boolean {
  return existsSync(join(project, providerFolder(project))) || fileURLToPath(import.meta.url).startsWith(join(project, "node_modules"));
}
