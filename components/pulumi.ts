/**
 * The parts of Pulumi's SDK that a program needs. The whole package also loads the automation API, the serialiser of closures and npm's own
 * libraries, which are unused here: 0.3 s of every preview and update.
 */
import { getOrganization, getProject, getStack } from "@pulumi/pulumi/metadata.js";
import * as config from "@pulumi/pulumi/runtime/config.js";

export { allConfig } from "@pulumi/pulumi/runtime/config.js";
export { getProject, getStack } from "@pulumi/pulumi/metadata.js";
export { isDryRun } from "@pulumi/pulumi/runtime/settings.js";
export { secret, unknown } from "@pulumi/pulumi/output.js";
export type { Input, Output } from "@pulumi/pulumi/output.js";
export { ComponentResource, CustomResource } from "@pulumi/pulumi/resource.js";
export type { ComponentResourceOptions, CustomResourceOptions, Resource } from "@pulumi/pulumi/resource.js";

/** Whether a key's value, or a value inside it, is encrypted in the stack file. The SDK's types do not declare it. */
export function isConfigSecret(key: string): boolean {
  return (config as unknown as { isConfigSecret: (key: string) => boolean }).isConfigSecret(key);
}

/** `<organization>/<project>/<stack>`: what the engine knows the stack by, whatever is selected. */
export function fullStackName(): string {
  return [getOrganization(), getProject(), getStack()].join("/");
}
