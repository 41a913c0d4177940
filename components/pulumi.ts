/**
 * What a program needs of Pulumi's SDK. The package as a whole also loads the automation API, the serialiser of closures and npm's own
 * libraries, which no component uses: 0.3 s of every preview and again of every update.
 */
export { allConfig } from "@pulumi/pulumi/runtime/config.js";
export { getStack } from "@pulumi/pulumi/metadata.js";
export { secret } from "@pulumi/pulumi/output.js";
export type { Input, Output } from "@pulumi/pulumi/output.js";
export { ComponentResource, CustomResource } from "@pulumi/pulumi/resource.js";
export type { ComponentResourceOptions, CustomResourceOptions, Resource } from "@pulumi/pulumi/resource.js";
