/** The docker target against a real daemon. The image is made here, without a registry. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { DockerTarget } from "../../workloads/docker.ts";
import { ContainersRunningError, ImageMissingError } from "../../workloads/docker-errors.ts";
import { type Site, secretOf } from "../../config/site.ts";
import { NeverHealthyError } from "../../processes/process.ts";
import { DIGEST, newFolder, newSite, pinOf, shop } from "./shop.ts";

const STACK = `backout-test-${process.pid}`;
const PROGRAM = [
  "/bin/busybox mkdir -p /www",
  `echo "{\\"status\\":\\"ok\\",\\"release\\":\\"$RELEASE\\",\\"database\\":\\"$DATABASE_URL\\",\\"host\\":\\"$DOCKER_HOST\\"}" > /www/health`,
  'echo "listening" ; echo "as $RELEASE" >&2',
  'case "$RELEASE" in *-bad) echo "cannot start" >&2; exit 3;; *-deaf) trap "" TERM;; *) trap "exit 0" TERM;; esac',
  '/bin/busybox httpd -f -p "${PORT:-8080}" -h /www & while :; do wait; /bin/busybox sleep 0.1; done',
].join("\n");

let reason: string | null = null;
const images: string[] = [];

function docker(...args: string[]): string {
  return execFileSync("docker", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Two images that differ, so that each has a digest of its own. */
function importImage(release: string): string {
  const folder = newFolder();
  mkdirSync(join(folder, "root", "bin"), { recursive: true });
  copyFileSync(
    ["/bin/busybox", "/usr/bin/busybox"].find((file) => existsSync(file))!,
    join(folder, "root", "bin", "busybox"),
  );
  execFileSync("tar", ["-cf", join(folder, "root.tar"), "-C", join(folder, "root"), "."]);
  const command = JSON.stringify(["/bin/busybox", "sh", "-c", PROGRAM]);
  const id = docker("import", "--change", `CMD ${command}`, "--change", `LABEL release=${release}`, join(folder, "root.tar"));
  images.push(id);
  return id;
}

function whyNot(): string | null {
  try {
    docker("info");
  } catch (error) {
    return `no Docker daemon: ${String((error as { stderr?: unknown }).stderr ?? error)
      .trim()
      .split("\n")
      .at(-1)}`;
  }
  if (!["/bin/busybox", "/usr/bin/busybox"].some((file) => existsSync(file)))
    return "no busybox on this machine (package busybox-static) to make an image of";
  try {
    docker("run", "--rm", importImage("trial"), "/bin/busybox", "true");
  } catch (error) {
    return `an image of this machine's busybox does not run (is it busybox-static?): ${String((error as { stderr?: unknown }).stderr ?? error).trim()}`;
  }
  return null;
}

beforeAll(() => {
  reason = whyNot();
});

afterEach(() => {
  if (reason !== null) return;
  const left = docker("ps", "--all", "--quiet", "--filter", `label=backout.stack=${STACK}`).split("\n").filter(Boolean);
  if (left.length > 0) docker("rm", "--force", ...left);
});

afterAll(() => {
  for (const image of images) docker("image", "rm", image);
});

function needsDocker(context: TestContext): void {
  if (reason !== null) context.skip(reason);
}

async function health(site: Site): Promise<Record<string, string>> {
  return (await (await fetch(`http://127.0.0.1:${site.ports["api"]}/health`)).json()) as Record<string, string>;
}

describe("with a Docker daemon", () => {
  it("says that an id is not here", async (context) => {
    needsDocker(context);
    await expect(new DockerTarget(await newSite({ stack: STACK }), shop()).check("api", pinOf("v1", DIGEST.v1))).rejects.toThrow(
      ImageMissingError,
    );
  });

  it("starts, leaves alone, replaces, stops and goes back", async (context) => {
    needsDocker(context);
    const site = await newSite({ stack: STACK });
    const target = new DockerTarget(site, shop());
    const [v1, v2] = [pinOf("v1", importImage("v1")), pinOf("v2", importImage("v2"))];
    await target.prepare("api", v1);
    expect(await target.install("api", v1)).toBe("v1 already here");
    expect(await target.start("api", v1)).toBe("started");
    expect(await health(site)).toMatchObject({
      release: "v1",
      database: `postgresql://backout_shop_shop_test_services:${secretOf(site, "database")}@host.docker.internal:5432/shop`,
      host: "tcp://elsewhere.example:2375",
    });
    const first = await target.observe("api");
    expect(first.running && first.asPinned(v1) && !first.asPinned(v2)).toBe(true);
    expect(await target.start("api", v1)).toBe("already");
    expect((await target.observe("api")).pid).toBe(first.pid);
    expect(await target.errorLog("api", 5)).toEqual(["as v1"]);
    await expect(target.confirmStopped(["api"])).rejects.toThrow(ContainersRunningError);

    expect(await target.start("api", v2)).toBe("started");
    expect((await health(site))["release"]).toBe("v2");
    expect(await target.stop("api")).toBe("terminated");
    expect(await target.stop("api")).toBe("already stopped");
    await target.confirmStopped(["api"]);
    await expect(health(site)).rejects.toThrow();

    expect(await target.start("api", v1)).toBe("started");
    expect((await health(site))["release"]).toBe("v1");
    const names = docker("ps", "--all", "--format", '{{.Names}} {{.Label "backout.release"}}', "--filter", `label=backout.stack=${STACK}`)
      .split("\n")
      .sort();
    expect(names).toEqual([`${STACK}-api v1`, expect.stringMatching(new RegExp(`^${STACK}-api-previous-\\S+ v2$`)) as string]);
    const inspected = docker(
      "container",
      "inspect",
      "--format",
      "{{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.PortBindings}}",
      `${STACK}-api`,
    );
    expect(inspected).toBe(`unless-stopped {"${site.ports["api"]}/tcp":[{"HostIp":"127.0.0.1","HostPort":"${site.ports["api"]}"}]}`);
  });

  it("kills what does not end on its own, after the grace", async (context) => {
    needsDocker(context);
    const target = new DockerTarget(await newSite({ stack: STACK }), shop({ stopGraceMs: 1_000 }));
    await target.start("api", pinOf("v1-deaf", importImage("deaf")));
    expect(await target.stop("api")).toBe("killed");
    await target.confirmStopped(["api"]);
  });

  it("tells why a container that exits at once never became healthy, and starts the next in its place", async (context) => {
    needsDocker(context);
    const site = await newSite({ stack: STACK });
    const target = new DockerTarget(site, shop());
    const image = importImage("bad");
    const failed = target.start("api", pinOf("v1-bad", image));
    await expect(failed).rejects.toThrow(NeverHealthyError);
    await expect(failed).rejects.toThrow(/has ended with code 3.*cannot start/s);
    expect((await target.observe("api")).running).toBe(false);
    expect(await target.start("api", pinOf("v1", image))).toBe("started");
    expect((await health(site))["release"]).toBe("v1");
  });
});
