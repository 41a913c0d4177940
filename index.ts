/** Stack config → system definition → services. */
import { startProvider } from "./components/provider-version.ts";

// Types are stripped in place, so positions are right as they are: the engine's host would map every frame of every resource it registers.
Reflect.deleteProperty(Error, "prepareStackTrace");

// The provider starts while the rest is loaded.
const provider = await startProvider();
const { allConfig, getStack } = await import("./components/pulumi.ts");
const { System } = await import("./components/system.ts");
const { parseConfig } = await import("./config/parse.ts");
const { definitionOf, siteOf } = await import("./config/site.ts");

const definition = await definitionOf(siteOf(parseConfig(allConfig()), getStack(), process.env["BACKOUT_PROJECT"] ?? process.cwd()));
await provider.running;
const system = new System(definition.name, definition);

export const { epoch, stackId, data, snapshots, quarantines } = system;
