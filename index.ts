/** Stack config → system definition → components. */
import { allConfig, getStack } from "./components/pulumi.ts";
import { RollbackStack } from "./components/rollback-stack.ts";
import { parseDeclared } from "./declared/parse.ts";
import { resolvePins } from "./declared/pins.ts";
import { definitionOf, siteOf } from "./declared/site.ts";

// Types are stripped in place, so positions are right as they are: the engine's host would map every frame of every resource it registers.
Reflect.deleteProperty(Error, "prepareStackTrace");

const declared = parseDeclared(allConfig());
const site = siteOf(declared, getStack(), process.env["BACKOUT_PROJECT"] ?? process.cwd());
const definition = await definitionOf(site);
const stack = new RollbackStack(definition.name, { declared, site, definition, pins: resolvePins(declared, definition) });

export const epoch = stack.epoch;
export const data = stack.data;
