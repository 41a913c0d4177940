/** The images of a release as Pulumi resources. */
import type * as pulumi from "@pulumi/pulumi";
import type { Pins } from "../../declared/pins.ts";
import type { SystemDefinition } from "../../systems/definition.ts";

export function declareImages(_definition: SystemDefinition, _pins: Pins, _opts: pulumi.CustomResourceOptions): pulumi.Resource[] {
  return [];
}
