/** Pulumi resources that a target needs first: images by digest for `docker`, none for `process`. */
import type * as pulumi from "@pulumi/pulumi";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { declareImages } from "./docker-images.ts";

export function declarationsOf(
  site: Site,
  definition: SystemDefinition,
  pins: Pins,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  return site.target === "docker" ? declareImages(definition, pins, opts) : [];
}
