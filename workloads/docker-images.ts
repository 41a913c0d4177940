/** The images of a release: as Pulumi resources, and on this machine. */
import { createRequire } from "node:module";
import type * as Docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { ServicePin, Pins } from "../config/pins.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { docker, isAbsent } from "./docker-cli.ts";
import { imageArguments, pullArguments } from "./docker-commands.ts";
import { digestOf } from "./docker-containers.ts";
import { DockerCommandError, DockerPackageMissingError, ImageMissingError, ImageUndeclaredError } from "./docker-errors.ts";

const PULL_TIMEOUT_MS = 15 * 60_000;

/**
 * One `docker.RemoteImage` per distinct image of the pinned services: pulled before anything stops, and kept when no pin names it any more,
 * because a rollback may need it. No containers: they stop early and start late, which a Pulumi graph cannot express.
 */
export function declareImages(definition: SystemDefinition, pins: Pins, opts: pulumi.CustomResourceOptions): pulumi.Resource[] {
  const images = distinctImages(definition, pins);
  if (images.length === 0) return [];
  const { RemoteImage } = dockerPackage();
  return images.map(
    (image) =>
      new RemoteImage(`image-${digestOf(image)!.slice("sha256:".length, "sha256:".length + 12)}`, { name: image, keepLocally: true }, opts),
  );
}

/**
 * Loaded here, so that other targets need not have it.
 * @throws DockerPackageMissingError
 */
function dockerPackage(): typeof Docker {
  try {
    return createRequire(import.meta.url)("@pulumi/docker") as typeof Docker;
  } catch (error) {
    if (isNotInstalled(error)) throw new DockerPackageMissingError();
    throw error;
  }
}

/** Whether it is this package that was not found, not one that it needs. */
export function isNotInstalled(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "MODULE_NOT_FOUND" && message.startsWith("Cannot find module '@pulumi/docker'");
}

/** @throws ImageUndeclaredError */
function distinctImages(definition: SystemDefinition, pins: Pins): string[] {
  const containers = Object.entries(pins.services).filter(([service]) =>
    ["service", "worker"].includes(definition.services[service]?.kind ?? ""),
  );
  const byDigest = new Map(containers.map(([service, pin]) => imageOf(service, pin)).map((image) => [digestOf(image), image]));
  return [...byDigest.values()].sort();
}

/** The pinned image, by digest or id. @throws ImageUndeclaredError */
export function imageOf(service: string, { release, artefact: { image } }: ServicePin): string {
  // It becomes an argument of a command, so it must not look like an option.
  if (image === undefined || digestOf(image) === null || !/^[A-Za-z0-9]/.test(image))
    throw new ImageUndeclaredError(service, release, image);
  return image;
}

/**
 * Requires an image on this machine, or with a registry to pull it from. Pulls nothing. @throws ImageUndeclaredError, ImageMissingError,
 * DockerUnreachableError
 */
export async function requireObtainable(service: string, pin: ServicePin): Promise<void> {
  const image = imageOf(service, pin);
  if (!image.includes("@") && !(await isPresent(image)))
    throw new ImageMissingError(service, pin.release, image, "an id names no registry to pull it from");
}

/** @throws ImageUndeclaredError, ImageMissingError, DockerUnreachableError */
export async function makePresent(service: string, pin: ServicePin): Promise<"already here" | "pulled"> {
  const image = imageOf(service, pin);
  if (await isPresent(image)) return "already here";
  await requireObtainable(service, pin);
  try {
    await docker(pullArguments(image), { timeoutMs: PULL_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof DockerCommandError) throw new ImageMissingError(service, pin.release, image, `cannot be pulled (${error.detail})`);
    throw error;
  }
  return "pulled";
}

async function isPresent(image: string): Promise<boolean> {
  try {
    await docker(imageArguments(image));
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
