// Longer than 300 lines: all of it works on one stand-in of the Docker command line.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DockerTarget } from "../../workloads/docker.ts";
import {
  ContainerNameTakenError,
  ContainersRunningError,
  DatabaseFileOutOfReachError,
  DockerCommandError,
  DockerUnreachableError,
  ImageMissingError,
  ImageUndeclaredError,
  PortUndeclaredError,
  ServerOutOfReachError,
} from "../../workloads/docker-errors.ts";
import { cannotRun, outOfReach, targetOf } from "../../workloads/index.ts";
import { takenPorts, toRun } from "../../workloads/taken-ports.ts";
import { secretOf } from "../../config/site.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { NeverHealthyError, PortTakenError } from "../../processes/process.ts";
import { fakeDocker, type FakeContainer, type FakeDocker } from "./fake-docker.ts";
import { DIGEST, IMAGE, newFolder, newSite, pinOf, shop } from "./shop.ts";

const foreign: FakeContainer = {
  id: "99".padEnd(64, "0"),
  name: "shop-test-api",
  image: "somebody:latest",
  labels: {},
  environment: {},
  running: true,
  pid: 0,
  exitCode: 0,
  restart: "no",
  created: "2026-01-01T00:00:00Z",
};

const words = (docker: FakeDocker): string[] => docker.calls().map(([first]) => first!);
const all = Object.values(IMAGE);

describe("check", () => {
  it("names the command where no daemon answers", async () => {
    fakeDocker({ down: true });
    const failed = new DockerTarget(await newSite(), shop()).check("api", pinOf("v1", IMAGE.v1));
    await expect(failed).rejects.toThrow(DockerUnreachableError);
    await expect(failed).rejects.toThrow(/`docker version .*` did not reach a Docker daemon: Cannot connect .*; start Docker/s);
  });

  it("names the command where there is none", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = newFolder();
    try {
      await expect(new DockerTarget(await newSite(), shop()).check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(
        /no `docker` command found on the PATH/,
      );
    } finally {
      process.env["PATH"] = path;
    }
  });

  it("names the image that is neither here nor in the registry, and the fix", async () => {
    fakeDocker();
    const target = new DockerTarget(await newSite(), shop());
    const failed = target.prepare("api", pinOf("v1", IMAGE.v1));
    await expect(failed).rejects.toThrow(ImageMissingError);
    await expect(failed).rejects.toThrow(new RegExp(`image ${IMAGE.v1} of api v1 .*manifest unknown.*docker login`, "s"));
  });

  it("does not try to pull an id", async () => {
    const docker = fakeDocker();
    await expect(new DockerTarget(await newSite(), shop()).check("api", pinOf("v1", DIGEST.v1))).rejects.toThrow(/an id names no registry/);
    expect(words(docker)).not.toContain("pull");
  });

  it("refuses a release without image, or with one that can move, before it asks Docker", async () => {
    const docker = fakeDocker();
    const target = new DockerTarget(await newSite(), shop());
    await expect(target.check("api", pinOf("v1", undefined))).rejects.toThrow(ImageUndeclaredError);
    await expect(target.check("api", pinOf("v1", "registry.example/api:latest"))).rejects.toThrow(/by digest/);
    expect(docker.calls()).toEqual([]);
  });

  it("refuses a service without a port", async () => {
    fakeDocker({ images: all });
    await expect(new DockerTarget(await newSite({ ports: {} }), shop()).check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(
      PortUndeclaredError,
    );
  });

  it("refuses a server that containers cannot reach", async (context) => {
    if (process.platform !== "linux") return context.skip("Docker runs in a virtual machine here, which passes 127.0.0.1 on");
    const docker = fakeDocker({ images: all });
    const site = await newSite({ server: { embedded: true, port: 5999, driver: "template", databases: {} } });
    const target = new DockerTarget(site, shop());
    await expect(target.check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(ServerOutOfReachError);
    await target.check("worker", pinOf("v1", IMAGE.worker));
    docker.set({ platform: "Docker Desktop 4.43.2" });
    await target.check("api", pinOf("v1", IMAGE.v1));
  });

  it("refuses a service whose database is a file of this machine", async () => {
    const docker = fakeDocker({ images: all });
    const { databases, ...rest } = shop();
    const filed = { ...rest, databases: { shop: { ...databases["shop"]!, engine: "sqlite" as const } } };
    await expect(new DockerTarget(await newSite(), filed).check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(DatabaseFileOutOfReachError);
    expect(docker.calls()).toEqual([]);
  });

  it("finds a name that is taken before anything stops", async () => {
    const docker = fakeDocker({ images: all, containers: [foreign] });
    const target = new DockerTarget(await newSite(), shop());
    await expect(target.check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(ContainerNameTakenError);
    await expect(target.start("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(/docker rename 990000000000/);
    expect(docker.state().containers).toEqual([foreign]);
  });

  it("finds the name of the next container taken before anything stops", async () => {
    fakeDocker({ images: all, containers: [{ ...foreign, name: "shop-test-api-next" }] });
    const target = new DockerTarget(await newSite(), shop());
    await expect(target.check("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(/shop-test-api-next/);
  });

  it("is no reason to refuse a preview where no daemon answers; nobody can say what runs then", async () => {
    fakeDocker({ down: true });
    const site = await newSite();
    const services = { api: pinOf("v1", IMAGE.v1) };
    expect(await cannotRun(site, shop(), { services })).toEqual([]);
    expect(await takenPorts(site, shop(), toRun({ services }))).toEqual([]);
    expect(await outOfReach(site, shop())).toMatch(/did not reach a Docker daemon/);
    fakeDocker();
    expect(await outOfReach(site, shop())).toBeNull();
  });

  it("pulls what is missing, once, and not in a preview; install says that it is here", async () => {
    const docker = fakeDocker({ pullable: [IMAGE.v1] });
    const target = new DockerTarget(await newSite(), shop());
    await target.check("api", pinOf("v1", IMAGE.v1));
    expect(words(docker)).not.toContain("pull");
    await target.prepare("api", pinOf("v1", IMAGE.v1));
    expect(await target.install("api", pinOf("v1", IMAGE.v1))).toBe("v1 already here");
    expect(words(docker).filter((word) => word === "pull")).toHaveLength(1);
  });
});

describe("stop", () => {
  it("says that nothing runs, also where nothing ever did", async () => {
    fakeDocker();
    const target = new DockerTarget(await newSite(), shop());
    expect(await target.stop("api")).toBe("already stopped");
    await target.confirmStopped(["api", "worker", "site"]);
    const observed = await target.observe("api");
    expect(observed).toMatchObject({ running: false, release: null, pid: null });
    expect(observed.asPinned(pinOf("v1", IMAGE.v1))).toBe(false);
    expect(await target.errorLog("api", 5)).toEqual([]);
  });

  it("does not take Docker's word for it", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    docker.set({ stopIsIgnored: true });
    await expect(target.stop("api")).rejects.toThrow(ContainersRunningError);
    await expect(target.confirmStopped(["worker", "api"])).rejects.toThrow(/container "shop-test-api" .*docker kill shop-test-api/);
  });

  it("says how it ended, and gives the grace", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("worker", pinOf("v1", IMAGE.worker));
    expect(await target.stop("worker")).toBe("terminated");
    await target.start("worker", pinOf("v1", IMAGE.worker));
    docker.set({ stopKills: true });
    expect(await target.stop("worker")).toBe("killed");
    expect(
      docker
        .calls()
        .find(([first]) => first === "stop")
        ?.slice(0, 3),
    ).toEqual(["stop", "-t", "1"]);
  });

  it("stops what runs under another name, too", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    docker.set({ containers: docker.state().containers.map((container) => ({ ...container, name: "by-hand" })) });
    await expect(target.confirmStopped(["api"])).rejects.toThrow(/by-hand/);
    expect(await target.stop("api")).toBe("terminated");
  });

  it("touches nothing of another service or stack", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("worker", pinOf("v1", IMAGE.worker));
    const other = new DockerTarget(await newSite({ stack: "shop" }), shop());
    expect(await target.stop("api")).toBe("already stopped");
    expect(await other.stop("worker")).toBe("already stopped");
    expect(docker.named("shop-test-worker")?.running).toBe(true);
  });
});

describe("start", () => {
  it("starts what is pinned, waits until it is healthy, and only then lets it come back by itself", async () => {
    const docker = fakeDocker({ images: all });
    const site = await newSite();
    const target = new DockerTarget(site, shop());
    const pin = pinOf("v1", IMAGE.v1);
    expect(await target.start("api", pin)).toBe("started");
    const container = docker.named("shop-test-api")!;
    expect(container).toMatchObject({ image: IMAGE.v1, running: true, restart: "unless-stopped" });
    expect(container.labels).toEqual({
      "backout.stack": "shop-test",
      "backout.service": "api",
      "backout.release": "v1",
      "backout.config": expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
    const order = words(docker).filter((word) => ["create", "rename", "start", "update"].includes(word));
    expect(order).toEqual(["create", "rename", "start", "update"]);
    const observed = await target.observe("api");
    expect(observed).toMatchObject({ running: true, release: "v1", pid: container.pid });
    expect(observed.asPinned(pin)).toBe(true);
    for (const other of [pinOf("v2", IMAGE.v1), pinOf("v1", IMAGE.v2), pinOf("v1", IMAGE.v1, { LEVEL: "debug" })])
      expect(observed.asPinned(other)).toBe(false);
    expect(await target.errorLog("api", 2)).toEqual(["err 4", "err 5"]);
  });

  it("hands secrets on beside the arguments and leaves no file behind", async () => {
    const docker = fakeDocker({ images: all });
    const site = await newSite();
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("backout-env-"));
    await new DockerTarget(site, shop()).start("api", pinOf("v1", IMAGE.v1));
    const token = secretOf(site, "token");
    const password = secretOf(site, "database");
    expect(docker.named("shop-test-api")?.environment).toEqual({
      // All addresses of the container: a published port does not reach its loopback.
      HOST: "0.0.0.0",
      PORT: String(site.ports["api"]),
      RELEASE: "v1",
      DATABASE_URL: `postgresql://backout_shop_shop_test_services:${password}@host.docker.internal:5432/shop`,
      TOKEN: token,
      DOCKER_HOST: "tcp://elsewhere.example:2375",
    });
    const said = JSON.stringify(docker.calls());
    for (const value of [token, password, "elsewhere.example"]) expect(said).not.toContain(value);
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith("backout-env-"));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });

  it("leaves alone what runs as pinned", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    const { id, pid } = docker.named("shop-test-api")!;
    expect(await target.start("api", pinOf("v1", IMAGE.v1))).toBe("already");
    expect(docker.named("shop-test-api")).toMatchObject({ id, pid });
  });

  it("replaces what runs otherwise: the new one is made before the old one is stopped, and the old one is kept", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    const old = docker.named("shop-test-api")!;
    const earlier = docker.calls().length;
    expect(await target.start("api", pinOf("v2", IMAGE.v2))).toBe("started");
    const order = words(docker).slice(earlier);
    expect(order.filter((word) => ["create", "stop", "rename", "start", "update", "rm"].includes(word))).toEqual([
      "create",
      "stop",
      "rename",
      "rename",
      "start",
      "update",
    ]);
    const [previous, now] = docker.state().containers;
    expect(previous).toMatchObject({
      id: old.id,
      running: false,
      name: expect.stringMatching(/^shop-test-api-previous-\d{8}T\d{9}Z$/) as string,
    });
    expect(now).toMatchObject({ name: "shop-test-api", image: IMAGE.v2, running: true });
  });

  it("keeps one previous container, never one that is the same as what runs", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    for (const [release, image] of [
      ["v1", IMAGE.v1],
      ["v2", IMAGE.v2],
      ["v1", IMAGE.v1],
    ] as const)
      await target.start("api", pinOf(release, image));
    expect(docker.state().containers.map(({ image }) => image)).toEqual([IMAGE.v2, IMAGE.v1]);
    // Stopped by a fence that left its pin as it was.
    await target.stop("api");
    await target.start("api", pinOf("v1", IMAGE.v1));
    expect(docker.state().containers.map(({ image, running }) => [image, running])).toEqual([
      [IMAGE.v2, false],
      [IMAGE.v1, true],
    ]);
  });

  it("leaves the old container as it was where the new one cannot be created", async () => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    docker.set({ fails: { create: "Error response from daemon: no space left on device" } });
    const failed = target.start("api", pinOf("v2", IMAGE.v2));
    await expect(failed).rejects.toThrow(DockerCommandError);
    await expect(failed).rejects.toThrow(/no space left on device/);
    expect(docker.state().containers).toMatchObject([{ name: "shop-test-api", image: IMAGE.v1, running: true }]);
  });

  it.each(["rename", "start", "update"])("goes on from a run that was killed before its %s", async (word) => {
    const docker = fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop());
    await target.start("api", pinOf("v1", IMAGE.v1));
    docker.set({ fails: { [word]: "interrupted" } });
    await expect(target.start("api", pinOf("v2", IMAGE.v2))).rejects.toThrow(/interrupted/);
    docker.set({ fails: {} });
    await target.start("api", pinOf("v2", IMAGE.v2));
    expect(
      docker
        .state()
        .containers.map(({ name, image, running, restart }) => [name.replace(/-previous-.*/, "-previous"), image, running, restart]),
    ).toEqual([
      ["shop-test-api-previous", IMAGE.v1, false, "unless-stopped"],
      ["shop-test-api", IMAGE.v2, true, "unless-stopped"],
    ]);
  });

  it("tells why a container that exits at once never became healthy, and does not let it come back", async () => {
    const docker = fakeDocker({ images: all, exitsAtOnce: 3 });
    const target = new DockerTarget(await newSite(), shop());
    const failed = target.start("api", pinOf("v1", IMAGE.v1));
    await expect(failed).rejects.toThrow(NeverHealthyError);
    await expect(failed).rejects.toThrow(/"api" has ended with code 3.*err 5/s);
    expect(docker.named("shop-test-api")?.restart).toBe("no");
    await expect(target.start("worker", pinOf("v1", IMAGE.worker))).rejects.toThrow(/"worker" has ended with code 3/);
  });

  it("tells what answered instead of the health it waits for", async () => {
    fakeDocker({ images: all });
    const target = new DockerTarget(await newSite(), shop({ health: { path: "/health", body: "never", timeoutMs: 300 } }));
    await expect(target.start("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(/did not become healthy.*200 \{"status":"ok"\}.*err 5/s);
  });

  it("names who holds the port", async () => {
    const docker = fakeDocker({ images: all });
    const site = await newSite();
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(site.ports["api"], "127.0.0.1", resolve));
    try {
      await expect(new DockerTarget(site, shop()).start("api", pinOf("v1", IMAGE.v1))).rejects.toThrow(PortTakenError);
      expect(words(docker)).not.toContain("start");
    } finally {
      await new Promise((resolve) => holder.close(resolve));
    }
  });
});

describe("static services", () => {
  it("are published as on the process target, without Docker", async () => {
    const docker = fakeDocker({ down: true });
    const site = await newSite();
    const folder = join(site.project, "site-v1");
    mkdirSync(folder);
    writeFileSync(join(folder, "index.html"), "<h1>v1</h1>");
    const pin = { ...pinOf("v1", undefined), artefact: { path: "site-v1", sha256: await hashFolder(folder) } };
    for (const target of [targetOf(site, shop()), targetOf({ ...site, target: "process" }, shop())]) {
      await target.check("site", pin);
      expect(await target.install("site", pin)).toMatch(/^v1 (?:already )?published$/);
      expect(await target.stop("site")).toBe("static");
      expect(await target.start("site", pin)).toBe("static");
      const observed = await target.observe("site");
      expect(observed).toMatchObject({ running: true, release: "v1", pid: null });
      expect(observed.asPinned(pin)).toBe(true);
      await expect(target.check("site", pinOf("v2", IMAGE.v2))).rejects.toThrow(/releases\.v2\.services\.site has no `path`/);
      const wrong = createHash("sha256").update("else").digest("hex");
      await expect(target.check("site", { ...pin, artefact: { path: "site-v1", sha256: wrong } })).rejects.toThrow(wrong);
    }
    expect(existsSync(join(site.home, "sites", "site", "current", "index.html"))).toBe(true);
    expect(docker.calls()).toEqual([]);
  });
});
