/**
 * What a program needs of Pulumi's SDK. The package as a whole also loads the automation API, the serialiser of closures and npm's own
 * libraries, which no service uses: 0.3 s of every preview and again of every update.
 */
import * as config from "@pulumi/pulumi/runtime/config.js";

export { allConfig } from "@pulumi/pulumi/runtime/config.js";
export { getStack } from "@pulumi/pulumi/metadata.js";
export { isDryRun } from "@pulumi/pulumi/runtime/settings.js";
export { secret } from "@pulumi/pulumi/output.js";
export type { Input, Output } from "@pulumi/pulumi/output.js";
export { ComponentResource, CustomResource } from "@pulumi/pulumi/resource.js";
export type { ComponentResourceOptions, CustomResourceOptions, Resource } from "@pulumi/pulumi/resource.js";

/** Whether a key's value, or a value inside it, is encrypted in the stack file. Its declaration is left out of the SDK's types. */
export function isConfigSecret(key: string): boolean {
  return (config as unknown as { isConfigSecret: (key: string) => boolean }).isConfigSecret(key);
}
