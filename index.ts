/** Stack config → system definition → services. */
import { startProvider } from "./components/provider-version.ts";

// Types are stripped in place, so positions are right as they are: the engine's host would map every frame of every resource it registers.
Reflect.deleteProperty(Error, "prepareStackTrace");

// The provider starts while the rest is loaded.
const provider = await startProvider();
const { allConfig, getStack, isConfigSecret } = await import("./components/pulumi.ts");
const { RollbackStack } = await import("./components/rollback-stack.ts");
const { declaredOrder, STACKS_VARIABLE } = await import("./config/ledger.ts");
const { stackFolderAbove } = await import("./config/stack-folder.ts");
const { parseConfig } = await import("./config/parse.ts");
const { resolvePins } = await import("./config/resolve-pins.ts");
const { secretKeys } = await import("./config/secret-config.ts");
const { definitionOf, siteOf } = await import("./config/site.ts");

const config = parseConfig(allConfig(), secretKeys(isConfigSecret));
const stacks = process.env[STACKS_VARIABLE] ?? stackFolderAbove(process.cwd());
const order = declaredOrder(stacks, getStack(), Object.keys(config.releases));
const site = siteOf(config, getStack(), process.env["BACKOUT_PROJECT"] ?? process.cwd());
const definition = await definitionOf(site);
const pins = resolvePins(config, definition);
await provider.running;
const stack = new RollbackStack(definition.name, { config, order, site, definition, pins });

export const epoch = stack.epoch;
export const stackId = stack.stackId;
export const data = stack.data;
export const snapshots = stack.snapshots;
export const quarantines = stack.quarantines;
