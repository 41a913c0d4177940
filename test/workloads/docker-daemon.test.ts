/** The docker target against a real daemon. The image is made here, without a registry. */
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { DockerTarget } from "../../workloads/docker.ts";
import { ContainersRunningError, ImageMissingError } from "../../workloads/docker-errors.ts";
import { type Site, secretOf } from "../../config/site.ts";
import { NeverHealthyError } from "../../processes/process.ts";
import { docker, dockerLines, makeImage, whyNoDocker } from "../peers/docker.ts";
import { DIGEST, newSite, pinOf, shop } from "./shop.ts";

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

/** Two images that differ, so that each has a digest of its own. */
function importImage(release: string): string {
  const id = makeImage({ script: PROGRAM, labels: { release } });
  images.push(id);
  return id;
}

beforeAll(() => {
  reason = whyNoDocker();
});

afterEach(() => {
  if (reason !== null) return;
  const left = dockerLines("ps", "--all", "--quiet", "--filter", `label=backout.stack=${STACK}`);
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
      database: `postgresql://backout_shop_${STACK.replaceAll("-", "_")}_services:${secretOf(site, "database")}@host.docker.internal:5432/shop`,
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
    const filter = `label=backout.stack=${STACK}`;
    const names = dockerLines("ps", "--all", "--format", '{{.Names}} {{.Label "backout.release"}}', "--filter", filter).sort();
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
