/** A project like the repository's, whose program declares what a module exports as `definition`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { editPins, rawConfig, type PinEdit } from "../../config/edit.ts";
import { parseConfig } from "../../config/parse.ts";
import { PROJECT } from "./stand/base.ts";

interface ProjectFile {
  runtime: { name: string; options: { nodeargs: string } };
  plugins: { providers: { name: string; path: string }[] };
}

/**
 * @param stack of the repository, whose file it has, without the system's name and with absolute paths
 * @returns the project's folder, below `folder`
 */
export function projectOf(folder: string, stack: string, module: string): string {
  const project = join(folder, "source");
  mkdirSync(join(project, "stacks"), { recursive: true });
  const yaml = parse(readFileSync(join(PROJECT, "Pulumi.yaml"), "utf8")) as ProjectFile;
  yaml.runtime.options.nodeargs = yaml.runtime.options.nodeargs.replace("./", `${PROJECT}/`);
  for (const provider of yaml.plugins.providers) provider.path = join(PROJECT, provider.path);
  const main = join(import.meta.dirname, "own-program", "index.ts");
  writeFileSync(join(project, "Pulumi.yaml"), stringify({ ...yaml, main, backend: undefined }));
  const text = readFileSync(join(PROJECT, "stacks", `Pulumi.${stack}.yaml`), "utf8");
  const paths = Object.entries(parseConfig(rawConfig(text)).releases).flatMap(([release, { services }]) =>
    Object.entries(services).map(([service, { path }]): PinEdit => ({
      path: ["releases", release, "services", service, "path"],
      value: join(PROJECT, path!),
    })),
  );
  const own = editPins(text, [{ path: ["system"], value: undefined }, ...paths]).replace(
    /^config:\n/m,
    `config:\n  stand:module: ${module}\n`,
  );
  writeFileSync(join(project, "stacks", `Pulumi.${stack}.yaml`), own);
  return project;
}
