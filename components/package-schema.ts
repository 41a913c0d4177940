/** The schema of the package, from which Pulumi makes classes for Python, Go and C# and checks programs in YAML. */
import { z } from "zod";
import { VERSION } from "../config/version.ts";
import { SYSTEM_TOKEN } from "./construct.ts";
import { plainSchema } from "./plain.ts";

/** As much of JSON schema as plain inputs need. */
interface JsonSchema {
  $ref?: string;
  type?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
}

const PACKAGE = "backout";

/** As JSON text. */
export function packageSchema(): string {
  const { $defs, properties, required } = z.toJSONSchema(plainSchema, { io: "input" }) as unknown as Required<JsonSchema> & {
    $defs: Record<string, JsonSchema>;
  };
  const text = { type: "string" };
  const outputs = {
    epoch: { type: "integer", description: "Number of the last rollout." },
    stackId: { ...text, description: "The stack's id in its state, independent of its name and folder." },
    data: { ...mapOf(text), description: "By database: what it descends from, in the form of a pin; `current`: no copy of anything." },
    snapshots: { type: "array", items: text, description: "The newest snapshots, with generation and database." },
    quarantines: {
      ...mapOf(text),
      description: "By database: name of the last rollout's quarantine, to be pinned as `quarantine:<name>`.",
    },
  };
  return JSON.stringify({
    name: PACKAGE,
    version: VERSION,
    description: "Rolls a failed deployment back: a rollback is a stack update that pins the previous release and its data.",
    license: "Apache-2.0",
    types: Object.fromEntries(Object.entries($defs).map(([name, schema]) => [token(name), { type: "object", ...converted(schema) }])),
    resources: {
      [SYSTEM_TOKEN]: {
        isComponent: true,
        description: "A system whose deployments can be rolled back. Pins of the stack's config say which release runs, and on which data.",
        inputProperties: Object.fromEntries(
          Object.entries(properties).map(([name, schema]) => [name, { ...converted(schema), plain: true }]),
        ),
        requiredInputs: required,
        properties: outputs,
        required: Object.keys(outputs),
      },
    },
    language: { python: { pyproject: { enabled: true } } },
  });
}

function token(name: string): string {
  return `${PACKAGE}:index:${name}`;
}

function mapOf(schema: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: schema };
}

/** Pulumi's schemas have types, properties, items and references, and no limits of values. */
function converted({ $ref, type, description, properties, required, items, additionalProperties }: JsonSchema): JsonSchema {
  const said = description === undefined ? {} : { description };
  if ($ref !== undefined) return { $ref: `#/types/${token($ref.split("/").at(-1)!)}`, ...said };
  return {
    ...(type === undefined ? {} : { type }),
    ...said,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, converted(inner)])) }),
    ...(required === undefined ? {} : { required }),
    ...(items === undefined ? {} : { items: converted(items) }),
    ...(typeof additionalProperties === "object" ? { additionalProperties: converted(additionalProperties) } : {}),
  };
}
