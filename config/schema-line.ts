/** The first line of a stack file, by which editors find the JSON schema that comes with the package. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Place of the schema in the package. */
export const SCHEMA_FILE = "schema/stack.json";

const PACKAGE = "backout";
const LINE = /^# yaml-language-server: \$schema=(\S*)\n/m;

/** The schema of the package that a project uses; of one that is not installed, the place where it will be. */
export function schemaOf(project: string): string {
  for (let folder = project; ; folder = dirname(folder)) {
    if (isPackage(folder)) return join(folder, SCHEMA_FILE);
    const installed = join(folder, "node_modules", PACKAGE);
    if (existsSync(installed)) return join(installed, SCHEMA_FILE);
    if (dirname(folder) === folder) return join(project, "node_modules", PACKAGE, SCHEMA_FILE);
  }
}

function isPackage(folder: string): boolean {
  try {
    return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string }).name === PACKAGE;
  } catch {
    return false;
  }
}

/**
 * The text of a stack file, beginning with the line; one that names a schema of somebody else's stays as it is.
 * @param folder of the stack file
 * @param schema absolute path of the schema
 */
export function withSchemaLine(text: string, folder: string, schema: string): string {
  const named = LINE.exec(text)?.[1];
  if (named !== undefined && !named.endsWith(SCHEMA_FILE)) return text;
  const path = relative(folder, schema);
  return `# yaml-language-server: $schema=${path.startsWith(".") ? path : `./${path}`}\n${text.replace(LINE, "")}`;
}
