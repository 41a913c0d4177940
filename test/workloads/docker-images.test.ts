import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, test } from "vitest";
import { declarationsOf } from "../../workloads/declarations.ts";
import { declareImages, isNotInstalled } from "../../workloads/docker-images.ts";
import { ImageUndeclaredError } from "../../workloads/docker-errors.ts";
import type { ServicePin, Pins } from "../../config/pins.ts";
import { DIGEST, IMAGE, newSite, pinOf, shop } from "./shop.ts";

interface Registered {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

let registered: Registered[];

function pins(services: Record<string, ServicePin>): Pins {
  return {
    release: "v1",
    services,
    data: {},
    needs: {},
    schema: "keep",
    flags: {},
    maintenance: { mode: "off", message: "" },
    snapshots: [],
  };
}

async function urnOf(resource: pulumi.Resource): Promise<string> {
  return new Promise((resolve) => resource.urn.apply(resolve));
}

beforeEach(async () => {
  registered = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        registered.push({ type, name, inputs: inputs as Record<string, unknown> });
        return { id: `${name}-id`, state: inputs as Record<string, unknown> };
      },
      call: ({ inputs }) => inputs as Record<string, unknown>,
    },
    "shop",
    "test",
    false,
  );
});

afterEach(async () => {
  await pulumi.runtime.disconnect();
});

test("a package that @pulumi/docker needs and does not find is not taken for @pulumi/docker", () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-docker-package-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const errorOf = (): unknown => {
    try {
      return createRequire(join(folder, "program.js"))("@pulumi/docker");
    } catch (error) {
      return error;
    }
  };
  expect(isNotInstalled(errorOf())).toBe(true);
  mkdirSync(join(folder, "node_modules/@pulumi/docker"), { recursive: true });
  writeFileSync(join(folder, "node_modules/@pulumi/docker/index.js"), 'require("not-there");');
  expect(errorOf()).toMatchObject({ code: "MODULE_NOT_FOUND" });
  expect(isNotInstalled(errorOf())).toBe(false);
});

describe("declareImages", () => {
  it("refuses a service without an image by digest before anything is registered", () => {
    expect(() => declareImages(shop(), pins({ api: pinOf("v1", undefined) }), {})).toThrow(ImageUndeclaredError);
    expect(() => declareImages(shop(), pins({ api: pinOf("v1", "registry.example/api:latest") }), {})).toThrow(
      /v1\.services\.api\.image is "registry\.example\/api:latest"/,
    );
    expect(() => declareImages(shop(), pins({ api: pinOf("v1", `--privileged@${DIGEST.v1}`) }), {})).toThrow(ImageUndeclaredError);
  });

  it("declares one image per digest, kept when a pin leaves it, and no container", async () => {
    class Parent extends pulumi.ComponentResource {}
    const handedOn: pulumi.ResourceOptions[] = [];
    // The engine's stand-in is not told what a resource depends on: a transformation is.
    const note: pulumi.ResourceTransformation = ({ type, opts }) => void (type.startsWith("docker:") && handedOn.push(opts));
    const parent = new Parent("shop:index:Parent", "parent", {}, { transformations: [note] });
    const before = new Parent("shop:index:Before", "before", {}, { parent });
    const plan = new (class extends pulumi.CustomResource {})("shop:index:Plan", "plan", {}, { parent: before });
    const resources = declareImages(
      shop(),
      pins({
        api: pinOf("v1", IMAGE.v1),
        worker: pinOf("v1", IMAGE.v1),
        site: { ...pinOf("v1", undefined), artefact: { path: "site", sha256: "0".repeat(64) } },
      }),
      { parent, dependsOn: [plan] },
    );
    expect(resources).toHaveLength(1);
    await Promise.all(resources.map(urnOf));
    const images = registered.filter(({ type }) => type.startsWith("docker:"));
    expect(images).toEqual([
      {
        type: "docker:index/remoteImage:RemoteImage",
        name: "image-111111111111",
        inputs: { name: IMAGE.v1, keepLocally: true },
      },
    ]);
    expect(handedOn).toEqual([expect.objectContaining({ parent, dependsOn: [plan] })]);
    expect(await urnOf(resources[0]!)).toContain("shop:index:Parent$docker:");
  });

  it("declares each of several images, an id as well as a digest", async () => {
    const resources = declareImages(shop(), pins({ api: pinOf("v2", IMAGE.v2), worker: pinOf("v1", DIGEST.worker) }), {});
    await Promise.all(resources.map(urnOf));
    expect(
      registered
        .filter(({ type }) => type.startsWith("docker:"))
        .map(({ inputs }) => inputs["name"])
        .sort(),
    ).toEqual([IMAGE.v2, DIGEST.worker].sort());
  });

  it("is asked on the docker target only", async () => {
    const declared = pins({ api: pinOf("v1", IMAGE.v1) });
    expect(declarationsOf(await newSite({ target: "process" }), shop(), declared, {})).toEqual([]);
    const resources = declarationsOf(await newSite(), shop(), declared, {});
    await Promise.all(resources.map(urnOf));
    expect(registered.map(({ type }) => type)).toContain("docker:index/remoteImage:RemoteImage");
  });
});
