/** The program of a stand's own system: it declares what the module that the stack names exports as `definition`. */
import { allConfig } from "../../../components/pulumi.ts";
import { System } from "../../../components/system.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";

const { definition } = (await import(allConfig()["stand:module"] as string)) as { definition: SystemDefinition };
export const { epoch, stackId, data, snapshots, quarantines } = new System(definition.name, definition);
