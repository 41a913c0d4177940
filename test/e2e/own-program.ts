/** A project of a system of one's own: its program declares what a module exports as `definition`. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { editPins, rawConfig, type PinEdit } from "../../config/edit.ts";
import { parseConfig } from "../../config/parse.ts";
import { PROJECT } from "./stand/base.ts";

/** @param stack of the repository, whose file it has, without the system's name and with absolute paths. @returns the project's folder, below `folder` */
export function projectOf(folder: string, stack: string, module: string): string {
  const project = join(folder, "source");
  mkdirSync(join(project, "stacks"), { recursive: true });
  writeFileSync(join(project, "package.json"), '{"type":"module"}\n');
  symlinkSync(join(PROJECT, "node_modules"), join(project, "node_modules"));
  writeFileSync(
    join(project, "index.ts"),
    `import { System } from "${PROJECT}/components/index.ts";
import { definition } from "${module}";
export const { epoch, stackId, data, snapshots, quarantines } = new System(definition.name, definition);
`,
  );
  const { name, runtime, plugins } = parse(readFileSync(join(PROJECT, "Pulumi.yaml"), "utf8").replaceAll("./", `${PROJECT}/`)) as {
    name: string;
    runtime: unknown;
    plugins: { providers: { name: string; path: string }[] };
  };
  const providers = plugins.providers.map((provider) => ({ ...provider, path: join(PROJECT, provider.path) }));
  writeFileSync(
    join(project, "Pulumi.yaml"),
    stringify({ name, main: "index.ts", runtime, stackConfigDir: "stacks", plugins: { providers } }),
  );
  const text = readFileSync(join(PROJECT, "stacks", `Pulumi.${stack}.yaml`), "utf8");
  const paths = Object.entries(parseConfig(rawConfig(text)).releases).flatMap(([release, { services }]) =>
    Object.entries(services).map(([service, { path }]): PinEdit => ({
      path: ["releases", release, "services", service, "path"],
      value: join(PROJECT, path!),
    })),
  );
  writeFileSync(join(project, "stacks", `Pulumi.${stack}.yaml`), editPins(text, [{ path: ["system"], value: undefined }, ...paths]));
  return project;
}
