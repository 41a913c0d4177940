import { describe, expect, it } from "vitest";
import { envFileText } from "../../workloads/docker-cli.ts";
import { createArguments, listArguments, seenFromInside, splitEnvironment, stopArguments } from "../../workloads/docker-commands.ts";
import { digestOf, isMadeOf, parseContainers } from "../../workloads/docker-containers.ts";
import { EnvironmentValueError } from "../../workloads/docker-errors.ts";
import { DIGEST, IMAGE } from "./shop.ts";

const SPEC = {
  name: "shop-test-api-next",
  stack: "shop-test",
  service: "api",
  release: "v1",
  setupHash: null,
  configHash: "abc",
  image: IMAGE.v1,
  port: 4100,
  environment: { TOKEN: "s3cret", DOCKER_HOST: "tcp://s3cret" },
};

describe("arguments of docker create", () => {
  it("say what the container is, publish on 127.0.0.1 only and hold no value of the environment", () => {
    const made = createArguments(SPEC, "/folder/env");
    expect(made).toEqual([
      "create",
      "--name",
      "shop-test-api-next",
      "--pull",
      "never",
      "--restart",
      "no",
      "--add-host",
      "host.docker.internal:host-gateway",
      "--label",
      "backout.stack=shop-test",
      "--label",
      "backout.service=api",
      "--label",
      "backout.release=v1",
      "--label",
      "backout.config=abc",
      "--publish",
      "127.0.0.1:4100:4100",
      "--env-file",
      "/folder/env",
      "--env",
      "TOKEN",
      IMAGE.v1,
    ]);
    expect(made.join(" ")).not.toContain("s3cret");
  });

  it("publish nothing where there is no port", () => {
    expect(createArguments({ ...SPEC, port: null }, null)).not.toContain("--publish");
  });
});

describe("the environment", () => {
  it("keeps out of Docker's own what Docker would read", () => {
    const { passed, filed } = splitEnvironment({
      PATH: "/bin",
      DOCKER_HOST: "a",
      https_proxy: "b",
      DATABASE_URL: "c",
      GODEBUG: "d",
      GOAL: "e",
    });
    expect(Object.keys(passed)).toEqual(["DATABASE_URL", "GOAL"]);
    expect(Object.keys(filed)).toEqual(["PATH", "DOCKER_HOST", "https_proxy", "GODEBUG"]);
  });

  it("refuses a line break that an env file cannot hold, and names the variable without its value", () => {
    expect(() => envFileText({ DOCKER_NOTE: "one\ntwo" })).toThrow(EnvironmentValueError);
    expect(() => envFileText({ DOCKER_NOTE: "one\ntwo" })).not.toThrow(/two/);
    expect(envFileText({ A: 'x "y" #z', B: "" })).toBe('A=x "y" #z\nB=\n');
  });

  it.each([
    ["postgresql://u:p%40ss@127.0.0.1:5432/shop?a=127.0.0.1", "postgresql://u:p%40ss@host.docker.internal:5432/shop?a=127.0.0.1"],
    ["http://localhost/", "http://host.docker.internal/"],
    ["http://[::1]:9000", "http://host.docker.internal:9000"],
    ["http://127.0.0.1:4100/self", "http://127.0.0.1:4100/self"],
    ["postgresql://u:p@db.example:5432/shop", "postgresql://u:p@db.example:5432/shop"],
    ["http://127.0.0.1.example/", "http://127.0.0.1.example/"],
    ["127.0.0.1", "127.0.0.1"],
    ["see http://127.0.0.1/", "see http://127.0.0.1/"],
  ])("as seen from inside, %s is %s", (outside, inside) => {
    expect(seenFromInside({ URL: outside }, 4100)).toEqual({ URL: inside });
  });
});

describe("images and containers", () => {
  it("are known by digest or id, never by a tag", () => {
    expect(digestOf(IMAGE.v1)).toBe(DIGEST.v1);
    expect(digestOf(DIGEST.v1)).toBe(DIGEST.v1);
    expect(digestOf("api:latest")).toBeNull();
    const container = (image: string, imageId: string) =>
      parseContainers(
        JSON.stringify([
          {
            Id: "1",
            Name: "/a",
            Image: imageId,
            Created: "",
            Config: { Image: image, Labels: null },
            State: { Running: false, Restarting: true, Pid: 0, ExitCode: 0 },
          },
        ]),
      )[0]!;
    expect(isMadeOf(container(IMAGE.v1, "sha256:x"), IMAGE.v1)).toBe(true);
    expect(isMadeOf(container("mirror.example/api@" + DIGEST.v1, "sha256:x"), IMAGE.v1)).toBe(true);
    expect(isMadeOf(container("api:latest", DIGEST.v1), DIGEST.v1)).toBe(true);
    expect(isMadeOf(container("api:latest", "sha256:x"), IMAGE.v1)).toBe(false);
    expect(isMadeOf(container("api:latest", "sha256:x"), "api:latest")).toBe(false);
    expect(container("a", "b").running, "about to be started again").toBe(true);
  });

  it("are found by both labels; a stop gives no less than the grace", () => {
    expect(listArguments("shop-test", "api")).toEqual([
      "ps",
      "--all",
      "--quiet",
      "--no-trunc",
      "--filter",
      "label=backout.stack=shop-test",
      "--filter",
      "label=backout.service=api",
    ]);
    expect(stopArguments(["1", "2"], 1_500)).toEqual(["stop", "-t", "2", "1", "2"]);
  });
});
