/** Health of a container by a command inside it, or by its published port. */
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { NeverHealthyError } from "../../processes/process.ts";
import { DockerTarget } from "../../workloads/docker.ts";
import { fakeDocker } from "./fake-docker.ts";
import { IMAGE, newSite, pinOf, shop } from "./shop.ts";

const pin = pinOf("v1", IMAGE.v1);

test("a command runs inside the container; one that fails is never healthy, with its end", async () => {
  const docker = fakeDocker({ images: [IMAGE.v1] });
  const site = await newSite();
  const target = new DockerTarget(site, shop({ health: { command: ["true"], timeoutMs: 20_000 } }));
  expect(await target.askHealth("api")).toEqual({ healthy: false, answer: "no container runs" });
  expect(await target.start("api", pin)).toBe("started");
  const { id } = docker.named("shop-test-api")!;
  expect(docker.calls()).toContainEqual(["exec", id, "true"]);
  expect(await target.askHealth("api")).toEqual({ healthy: true, answer: "`true` ended with code 0" });
  const failing = new DockerTarget(site, shop({ health: { command: ["false"], timeoutMs: 200 } })).start("api", pin);
  await expect(failed(failing)).resolves.toMatch(/did not become healthy .*last answer: .*exec/s);
});

test("a port is healthy when its connection stays open: Docker accepts and closes it before the program listens", async () => {
  fakeDocker({ images: [IMAGE.v1] });
  const site = await newSite();
  const target = new DockerTarget(site, shop({ health: { tcp: true, timeoutMs: 20_000 } }));
  expect(await target.start("api", pin)).toBe("started");
  const port = site.ports["api"]!;
  expect(await target.askHealth("api")).toEqual({ healthy: true, answer: `port ${port} accepts connections` });
  const forwarder = createServer((socket) => socket.end());
  const closing = await new Promise<number>((resolve) =>
    forwarder.listen(0, "127.0.0.1", () => resolve((forwarder.address() as { port: number }).port)),
  );
  const other = new DockerTarget({ ...site, ports: { api: closing } }, shop({ health: { tcp: true, timeoutMs: 20_000 } }));
  expect(await other.askHealth("api")).toEqual({ healthy: false, answer: `port ${closing} closed the connection` });
  forwarder.close();
});

async function failed(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof NeverHealthyError) return error.message;
    throw error;
  }
  return "nothing failed";
}
