/** A release that cannot run: a copy of the newer one with a defect, entered into the ledger. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { PinEdit } from "../../config/edit.ts";
import { artefactFolder } from "../../config/site.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { pinsNow, type Stage } from "../stage.ts";
import type { Defect } from "./choices.ts";
import { drillOf } from "../../config/system/drill.ts";

/** @returns the edit that enters it. */
export async function brokenRelease(stage: Stage, name: string, defect: Defect): Promise<PinEdit> {
  const { config, definition } = await pinsNow(stage);
  const { from } = drillOf(definition);
  const newer = config.releases[from]!;
  const services: Record<string, unknown> = {};
  for (const [service, artefact] of Object.entries(newer.services)) {
    const source = artefactFolder(stage.site, artefact.path!);
    const folder = join(stage.folder, "releases", name, service);
    cpSync(source, folder, { recursive: true });
    const { kind, entry } = definition.services[service]!;
    if (kind === "static") renameIn(folder, from, name);
    else alter(source, folder, entry!, (text) => withDefect(text, defect, from, name));
    services[service] = { ...artefact, path: folder, sha256: await hashFolder(folder) };
  }
  return { path: ["releases", name], value: { ...newer, services } };
}

function withDefect(text: string, defect: Defect, from: string, name: string): string {
  switch (defect) {
    case "exits":
      return `process.exit(1);\n${text}`;
    case "stops":
      return `setTimeout(() => process.exit(1), 2000);\n${text.replaceAll(`"${from}"`, `"${name}"`)}`;
    case "stranger":
      return text.replaceAll(`"${from}"`, `"not-${name}"`);
  }
}

/** Programs import their system's modules relative to where they lay. */
function alter(source: string, folder: string, entry: string, edit: (text: string) => string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))) {
    const text = readFileSync(join(folder, file), "utf8").replaceAll(
      /(from |import\()"(\.\.\/[^"]+)"/g,
      (whole, how: string, path: string) => {
        const absolute = resolve(dirname(join(source, file)), path);
        return existsSync(absolute) && !absolute.startsWith(`${source}/`) ? `${how}"${absolute}"` : whole;
      },
    );
    writeFileSync(join(folder, file), file === entry ? edit(text) : text);
  }
}

/** A site says its release in its page. */
function renameIn(folder: string, from: string, name: string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => /\.(html|json)$/.test(path)))
    writeFileSync(join(folder, file), readFileSync(join(folder, file), "utf8").replaceAll(from, name));
}
