import type { JsonText } from "../config/json-text.ts";
import type { TEXT_INPUTS } from "../config/resources.ts";
import type * as pulumi from "./pulumi.ts";

/** A resource's inputs as a program declares them: each may be an output of another resource. */
export type Args<T> = { [K in keyof T]: pulumi.Input<K extends (typeof TEXT_INPUTS)[number] ? JsonText<T[K]> : T[K]> };
