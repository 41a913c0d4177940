/** Writes the JSON schema of stack files, part of the build. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { schemaText } from "../config/json-schema.ts";
import { SCHEMA_FILE } from "../config/schema-line.ts";

await mkdir(dirname(SCHEMA_FILE), { recursive: true });
await writeFile(SCHEMA_FILE, schemaText());
