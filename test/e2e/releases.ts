/** Releases with a defect that no drill switches on: copies of a sample release, altered, outside the repository. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { PinEdit } from "../../config/edit.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { PROJECT } from "./stand.ts";

const SYSTEM = join(PROJECT, "systems", "pfa-vanguard");
export const SERVICES = ["backend", "worker", "frontend"];

export interface Defect {
  from: string;
  version: string;
  /** Changes a program's text. */
  alter?: (service: string, text: string) => string;
}

/** Makes the folder of a release, one folder per service below it. */
export function makeRelease(folder: string, { from, version, alter = (_component, text) => text }: Defect): string {
  const release = join(folder, "releases", version);
  mkdirSync(release, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  for (const service of SERVICES) {
    cpSync(join(SYSTEM, "releases", from, service), join(release, service), { recursive: true });
    if (service === "frontend")
      for (const file of ["version.json", "index.html"]) change(join(release, service, file), (text) => text.replaceAll(from, version));
    else
      change(join(release, service, "main.ts"), (text) =>
        alter(
          service,
          text
            .replaceAll("../../../../kit/", `${PROJECT}/systems/kit/`)
            .replaceAll("../../../program/", `${SYSTEM}/program/`)
            .replace(`const release = "${from}"`, `const release = "${version}"`),
        ),
      );
  }
  return release;
}

function change(file: string, edit: (text: string) => string): void {
  const text = readFileSync(file, "utf8");
  const edited = edit(text);
  if (edited === text) throw new Error(`nothing was changed in ${file}`);
  writeFileSync(file, edited);
}

/** The ledger's entry of a release. */
export async function ledgerEntry(release: string, version: string, schema: string): Promise<PinEdit> {
  const services: Record<string, { path: string; sha256: string }> = {};
  for (const service of SERVICES) services[service] = { path: join(release, service), sha256: await hashFolder(join(release, service)) };
  return { path: ["releases", version], value: { schema: { pfa: schema }, services } };
}

/** The system's definition with one more migration, whose SQL lies in `folder` and can be changed there. */
export function definitionWithMigration(folder: string, name: string, sql: string): string {
  const place = join(folder, "migrations", name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "migration.sql"), sql);
  const file = JSON.stringify(join(SYSTEM, "definition.ts"));
  return `import { definition as pfaVanguard } from ${file};
const pfa = pfaVanguard.databases.pfa;
export const definition = {
  ...pfaVanguard,
  databases: { pfa: { ...pfa, migrations: [...pfa.migrations, { name: ${JSON.stringify(name)}, path: ${JSON.stringify(relative(SYSTEM, place))} }] } },
};
`;
}
