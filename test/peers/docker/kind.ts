/** What each type does with Docker. */
import type { Values } from "../../../provider/resource.ts";
import type { Rules } from "./rules.ts";

export interface Made {
  id: string;
  outs: Values;
}

export interface Kind {
  rules: Rules;
  /** It is deleted before its replacement is made, unless the program says otherwise. */
  deletedFirst?: true;
  /** @throws HalfMadeError where something was made before it failed. */
  create(inputs: Values): Promise<Made>;
  /** @returns null where it is gone. */
  read(id: string, outs: Values): Promise<Made | null>;
  /** @returns outputs that are neither as they were nor as the inputs say. */
  update?(id: string, olds: Values, inputs: Values): Promise<Values>;
  delete(id: string, outs: Values): Promise<void>;
}

/** Something was made and is not as it should be: the engine keeps it in its state by these fields, so that a destroy removes it. */
export class HalfMadeError extends Error {
  override readonly name = "HalfMadeError";
  readonly id: string;
  properties: Values;
  reasons: string[];

  constructor(message: string, { id, outs }: Made, cause: unknown) {
    super(message, { cause });
    this.id = id;
    this.properties = outs;
    this.reasons = [message];
  }
}

export interface Label {
  label: string;
  value: string;
}

export const labelsOf = (labels: unknown): Record<string, string> =>
  Object.fromEntries(((labels ?? []) as Label[]).map(({ label, value }) => [label, value]));

export const labelList = (labels: Record<string, string> | null | undefined): Label[] =>
  Object.entries(labels ?? {}).map(([label, value]) => ({ label, value }));
