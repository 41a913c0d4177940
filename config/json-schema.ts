/** The JSON schema of stack files, for editors: made from the schema that validates them, so both say the same. */
import { z } from "zod";
import { NAMESPACE } from "./errors.ts";
import { configSchema } from "./schema.ts";

type JsonSchema = Record<string, unknown>;

export function stackFileSchema(): JsonSchema {
  const { $schema, properties, required, ...rest } = z.toJSONSchema(configSchema, {
    // The draft that editors know best.
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema }) => withOtherForms(jsonSchema as JsonSchema),
  }) as JsonSchema & { properties: Record<string, JsonSchema>; required: string[] };
  return {
    $schema,
    title: "A stack file of backout",
    type: "object",
    properties: {
      config: {
        ...rest,
        // Other namespaces have keys of their own.
        additionalProperties: true,
        propertyNames: { if: { pattern: `^${NAMESPACE}:` }, then: { enum: Object.keys(properties).map(keyed) } },
        required: required.map(keyed),
        properties: Object.fromEntries(Object.entries(properties).map(([key, schema]) => [keyed(key), schema])),
      },
    },
    required: ["config"],
  };
}

function keyed(key: string): string {
  return `${NAMESPACE}:${key}`;
}

/** A schema that says how else its value may be written becomes a choice. */
function withOtherForms(schema: JsonSchema): void {
  const { orAs, description, default: preset, ...form } = schema;
  if (orAs === undefined) return;
  for (const key of Object.keys(schema)) Reflect.deleteProperty(schema, key);
  if (description !== undefined) schema["description"] = description;
  if (preset !== undefined) schema["default"] = preset;
  schema["anyOf"] = [form, ...(orAs as JsonSchema[])];
}

/** The schema as a file. */
export function schemaText(): string {
  return `${JSON.stringify(stackFileSchema(), null, 2)}\n`;
}
