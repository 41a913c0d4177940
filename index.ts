/** Stack config → system definition → components. */
import * as pulumi from "@pulumi/pulumi";
import { RollbackStack } from "./components/rollback-stack.ts";
import { parseDeclared } from "./declared/parse.ts";
import { resolvePins } from "./declared/pins.ts";
import { definitionOf, siteOf } from "./declared/site.ts";

const declared = parseDeclared(pulumi.runtime.allConfig());
const site = siteOf(declared, pulumi.getStack(), process.env["BACKOUT_PROJECT"] ?? process.cwd());
const definition = await definitionOf(site);
const stack = new RollbackStack(definition.name, { declared, site, definition, pins: resolvePins(declared, definition) });

export const epoch = stack.epoch;
export const data = stack.data;
