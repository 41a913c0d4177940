/** Errors of the Docker target. No message holds a value of a service's environment. */

/** The `docker` command is missing, or no daemon answers it. */
export class DockerUnreachableError extends Error {
  readonly command: string;
  constructor(command: string, detail: string) {
    super(
      `\`${command}\` did not reach a Docker daemon: ${detail}; start Docker (or point DOCKER_HOST to where it listens on this machine) ` +
        `and run the same command again`,
    );
    this.name = "DockerUnreachableError";
    this.command = command;
  }
}

/** Docker answered with an error. */
export class DockerCommandError extends Error {
  readonly command: string;
  readonly detail: string;
  constructor(command: string, detail: string) {
    super(`\`${command}\` failed: ${detail}; fix the cause and run the same command again`);
    this.name = "DockerCommandError";
    this.command = command;
    this.detail = detail;
  }
}

/** What installs the optional package of the Docker target. */
export const DOCKER_PACKAGE_FIX = "npm install @pulumi/docker";

/** The package that declares images is optional, and is not installed. */
export class DockerPackageMissingError extends Error {
  constructor() {
    super(`the package @pulumi/docker is not installed, and \`backout:target: docker\` needs it; run \`${DOCKER_PACKAGE_FIX}\``);
    this.name = "DockerPackageMissingError";
  }
}

/** The ledger names no image, or one that could move. */
export class ImageUndeclaredError extends Error {
  readonly service: string;
  readonly release: string;
  constructor(service: string, release: string, image: string | undefined) {
    super(
      `backout:releases.${release}.services.${service}.image ${image === undefined ? "is missing" : `is "${image}"`}: the docker target runs ` +
        "an image by digest; write `name@sha256:…` (the RepoDigests of `docker image inspect`), or the id `sha256:…` of an image of this machine",
    );
    this.name = "ImageUndeclaredError";
    this.service = service;
    this.release = release;
  }
}

/** The pinned image is neither on this machine nor available. */
export class ImageMissingError extends Error {
  readonly service: string;
  readonly release: string;
  readonly image: string;
  constructor(service: string, release: string, image: string, why: string) {
    super(
      `image ${image} of ${service} ${release} is not on this machine and ${why}; ` +
        `load it with \`docker load\`, push it back to its registry, or log in with \`docker login\`, then run the same command again`,
    );
    this.name = "ImageMissingError";
    this.service = service;
    this.release = release;
    this.image = image;
  }
}

/** Another container has the name that backout needs. */
export class ContainerNameTakenError extends Error {
  readonly container: string;
  constructor(container: string, id: string) {
    super(
      `container name "${container}" is taken by ${id.slice(0, 12)}, which backout did not create (by its labels); ` +
        `rename it with \`docker rename ${id.slice(0, 12)} <another name>\` and run the same command again`,
    );
    this.name = "ContainerNameTakenError";
    this.container = container;
  }
}

/** Containers still run after a stop. */
export class ContainersRunningError extends Error {
  readonly running: { name: string; id: string }[];
  constructor(running: { name: string; id: string }[]) {
    super(
      `still running: ${running.map(({ name, id }) => `container "${name}" (${id.slice(0, 12)})`).join(", ")}; ` +
        `end ${running.length === 1 ? "it" : "them"} with \`docker kill ${running.map(({ name }) => name).join(" ")}\` and run the same command again`,
    );
    this.name = "ContainersRunningError";
    this.running = running;
  }
}

/** A service with a health endpoint or users has no port. */
export class PortUndeclaredError extends Error {
  readonly service: string;
  constructor(service: string) {
    super(
      `backout:ports.${service} is missing: the docker target publishes the port on 127.0.0.1 and checks the health of ${service} there`,
    );
    this.name = "PortUndeclaredError";
    this.service = service;
  }
}

/** The embedded server listens on this machine's loopback device, which containers cannot reach. */
export class ServerOutOfReachError extends Error {
  readonly service: string;
  constructor(service: string) {
    super(
      `${service} cannot reach the embedded PostgreSQL server from a container: it listens on 127.0.0.1 of this machine only; ` +
        "declare under backout:server a server that listens on an address containers reach, or use `backout:target: process`",
    );
    this.name = "ServerOutOfReachError";
    this.service = service;
  }
}

/** A value that cannot be passed unchanged. */
export class EnvironmentValueError extends Error {
  readonly variable: string;
  constructor(variable: string) {
    super(
      `environment variable ${variable} has a line break in its value, and Docker's own command reads a variable of that name; give the service the value under another name`,
    );
    this.name = "EnvironmentValueError";
    this.variable = variable;
  }
}

/** A database that is a file of this machine: containers cannot access it. */
export class DatabaseFileOutOfReachError extends Error {
  readonly service: string;
  readonly databases: string[];
  constructor(service: string, databases: string[]) {
    super(
      `${service} uses ${databases.join(", ")}, a SQLite file of this machine, which containers cannot access: use \`backout:target: process\``,
    );
    this.name = "DatabaseFileOutOfReachError";
    this.service = service;
    this.databases = databases;
  }
}
