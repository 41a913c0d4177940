/**
 * The `docker` target: services and workers as containers of the Docker daemon on this machine, static services as published folders.
 *
 * A container is named `<stack>-<service>` and labelled with its content; the previous one is kept, stopped, as
 * `<stack>-<service>-previous-<time>`. The image's own command runs: a definition's `entry`, `command`, `cwd` and `build` are not used. The service listens on
 * its port on all addresses of its container (`HOST` says so), and the port is published on 127.0.0.1 only. A URL on 127.0.0.1 in its
 * environment, the database's above all, becomes one on `host.docker.internal`, so what is on this machine must listen on an address that
 * containers reach (with Docker Engine on Linux that of the bridge, 172.17.0.1 by default; Docker Desktop passes on to 127.0.0.1 itself).
 */
import type { ServicePin } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import { PortTakenError, type HealthAnswer } from "../processes/process.ts";
import { holderOf, isPortFree } from "../processes/ports.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { isAskedByPort } from "../config/system/health.ts";
import { createContainer, docker, lastErrorLines } from "./docker-cli.ts";
import * as commands from "./docker-commands.ts";
import { containerNamed, containersOf, isMadeOf, type Container } from "./docker-containers.ts";
import {
  ContainerNameTakenError,
  ContainersRunningError,
  DatabaseFileOutOfReachError,
  PortUndeclaredError,
  ServerOutOfReachError,
} from "./docker-errors.ts";
import { askContainer, untilHealthy } from "./docker-health.ts";
import { imageOf, makePresent, requireObtainable } from "./docker-images.ts";
import { serviceOf, configHash, environmentOf, isSetUpAs, portOf, setupHash } from "./starting.ts";
import { StaticTarget } from "./static.ts";
import type { Observation, Target } from "./target.ts";

/** Time for Docker to stop a container after the grace period. */
const STOP_MARGIN_MS = 60_000;

export class DockerTarget implements Target {
  private readonly site: Site;
  private readonly definition: SystemDefinition;
  private readonly statics: StaticTarget;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
    this.statics = new StaticTarget(site);
  }

  /**
   * An image that a registry may have counts as available: `prepare` pulls it.
   * @throws ImageUndeclaredError, DatabaseFileOutOfReachError, PortUndeclaredError, DockerUnreachableError, ServerOutOfReachError,
   * ContainerNameTakenError, ImageMissingError
   */
  async check(service: string, pin: ServicePin): Promise<void> {
    const definition = serviceOf(this.definition, service);
    if (definition.kind === "static") return this.statics.check(service, pin);
    imageOf(service, pin);
    const files = definition.databases.filter((database) => this.definition.databases[database]?.engine === "sqlite");
    if (files.length > 0) throw new DatabaseFileOutOfReachError(service, files);
    if (this.port(service) === null && (definition.kind === "service" || isAskedByPort(definition.health)))
      throw new PortUndeclaredError(service);
    const platform = await docker(commands.versionArguments());
    if (this.site.server?.embedded === true && definition.databases.length > 0 && loopbackIsApart(platform))
      throw new ServerOutOfReachError(service);
    await this.slot(service, await containersOf(this.site.stack, service));
    await requireObtainable(service, pin);
  }

  /** @throws as `check` */
  async prepare(service: string, pin: ServicePin): Promise<void> {
    await this.check(service, pin);
    if (!this.isStatic(service)) await makePresent(service, pin);
  }

  async install(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.install(service, pin);
    return `${pin.release} ${await makePresent(service, pin)}`;
  }

  /** @throws ContainersRunningError if Docker could not end one. */
  async stop(service: string): Promise<string> {
    if (this.isStatic(service)) return this.statics.stop();
    const running = (await containersOf(this.site.stack, service)).filter((container) => container.running);
    if (running.length === 0) return "already stopped";
    const ids = running.map(({ id }) => id);
    const { stopGraceMs } = serviceOf(this.definition, service);
    await docker(commands.stopArguments(ids, stopGraceMs), { timeoutMs: stopGraceMs * ids.length + STOP_MARGIN_MS });
    await this.confirmStopped([service]);
    const SIGKILLED = 137;
    const ended = (await containersOf(this.site.stack, service)).filter(({ id }) => ids.includes(id));
    return ended.some(({ exitCode }) => exitCode === SIGKILLED) ? "killed" : "terminated";
  }

  async confirmStopped(services: string[]): Promise<void> {
    const all = await Promise.all(
      services.filter((service) => !this.isStatic(service)).map((service) => containersOf(this.site.stack, service)),
    );
    const running = all.flat().filter((container) => container.running);
    if (running.length > 0) throw new ContainersRunningError(running);
  }

  /**
   * Creates the new container before it stops or renames the old one; only when the new one is healthy does it get a restart policy, and
   * only then is anything removed.
   * @throws ImageMissingError, PortTakenError, ContainerNameTakenError, NeverHealthyError, DockerCommandError
   */
  async start(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.start();
    const containers = await containersOf(this.site.stack, service);
    const slot = await this.slot(service, containers);
    const running = containers.filter((container) => container.running);
    const already = slot !== null && slot.running && running.length === 1 && this.isAsPinned(slot, pin);
    const id = already ? slot.id : await this.replace(service, pin, containers, slot);
    await untilHealthy({ service, id, port: this.port(service) ?? 0, health: serviceOf(this.definition, service).health });
    await docker(commands.keepRunningArguments(id));
    await this.retire(service, pin, containers, id);
    return already ? "already" : "started";
  }

  async askHealth(service: string): Promise<HealthAnswer | null> {
    const { health } = serviceOf(this.definition, service);
    if (this.isStatic(service) || health === undefined) return null;
    const running = (await containersOf(this.site.stack, service)).find((container) => container.running);
    if (running === undefined) return { healthy: false, answer: "no container runs" };
    return askContainer({ id: running.id, port: this.port(service) ?? 0, health });
  }

  async observe(service: string): Promise<Observation> {
    if (this.isStatic(service)) return this.statics.observe(service);
    const containers = await containersOf(this.site.stack, service);
    // A running container counts, under any name.
    const seen = containers.find(({ running }) => running) ?? containers.find(({ name }) => name === this.containerName(service));
    return {
      running: seen?.running ?? false,
      release: seen?.labels[commands.LABELS.release] ?? null,
      pid: seen?.pid ?? null,
      identity: seen?.running === true ? `${seen.id}/${seen.startedAt}/${seen.restarts}` : null,
      startedAtMs: seen?.running === true ? Date.parse(seen.startedAt) : null,
      asPinned: (pin) => seen !== undefined && this.isAsPinned(seen, pin),
    };
  }

  async errorLog(service: string, lines: number, since = 0): Promise<string[]> {
    if (this.isStatic(service)) return this.statics.errorLog();
    const container = (await containersOf(this.site.stack, service)).find(({ name }) => name === this.containerName(service));
    if (container === undefined) return [];
    if (since === 0) return lastErrorLines(commands.logsArguments(container.id), lines);
    return (await lastErrorLines(commands.logsArguments(container.id), Number.MAX_SAFE_INTEGER)).slice(since).slice(-lines);
  }

  /** In lines. */
  async errorMark(service: string): Promise<number> {
    return this.isStatic(service) ? this.statics.errorMark() : (await this.errorLog(service, Number.MAX_SAFE_INTEGER)).length;
  }

  /** Replaces the container of `slot` by a new one and starts it. After a kill, the next run resumes. */
  private async replace(service: string, pin: ServicePin, containers: Container[], slot: Container | null): Promise<string> {
    await makePresent(service, pin);
    const name = this.containerName(service);
    const leftOver = containers.find((container) => container.name === this.nextName(service));
    if (leftOver !== undefined) await docker(commands.removeArguments(leftOver.id));
    const id = await createContainer(this.spec(service, pin));
    if (containers.some((container) => container.running)) await this.stop(service);
    const port = this.port(service);
    if (port !== null && !(await isPortFree(port))) throw new PortTakenError(service, port, holderOf(port));
    if (slot !== null)
      await docker(commands.renameArguments(slot.id, `${name}-previous-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, "")}`));
    await docker(commands.renameArguments(id, name));
    await docker(commands.startArguments(id));
    return id;
  }

  /** Keeps the newest previous container that differs from the running one, for a rollback by hand; removes the others. */
  private async retire(service: string, pin: ServicePin, before: Container[], id: string): Promise<void> {
    const old = before.filter((container) => container.id !== id && container.name !== this.nextName(service));
    const keep = old.find((container) => !this.isAsPinned(container, pin));
    for (const container of old) if (container !== keep) await docker(commands.removeArguments(container.id));
  }

  /** The container with the service's name. @throws ContainerNameTakenError if backout did not create it, or the one with the next name. */
  private async slot(service: string, containers: Container[]): Promise<Container | null> {
    for (const name of [this.containerName(service), this.nextName(service)]) {
      if (containers.some((container) => container.name === name)) continue;
      const foreign = await containerNamed(name);
      if (foreign !== null) throw new ContainerNameTakenError(name, foreign.id);
    }
    return containers.find(({ name }) => name === this.containerName(service)) ?? null;
  }

  private spec(service: string, pin: ServicePin): commands.ContainerSpec {
    const environment = environmentOf(this.site, this.definition, service, pin);
    return {
      name: this.nextName(service),
      stack: this.site.stack,
      service,
      release: pin.release,
      configHash: configHash(this.site, service, pin),
      setupHash: setupHash(pin),
      image: imageOf(service, pin),
      port: this.port(service),
      // A published port does not reach a program that listens on its container's loopback device.
      environment: { HOST: "0.0.0.0", ...commands.seenFromInside(environment, portOf(this.site, service)) },
    };
  }

  private isAsPinned(container: Container, pin: ServicePin): boolean {
    const { labels } = container;
    const service = labels[commands.LABELS.service] ?? "";
    return (
      labels[commands.LABELS.release] === pin.release &&
      labels[commands.LABELS.config] === configHash(this.site, service, pin) &&
      isSetUpAs(pin, labels[commands.LABELS.setup]) &&
      isMadeOf(container, pin.artefact.image ?? "")
    );
  }

  private containerName(service: string): string {
    return `${this.site.stack}-${service}`;
  }

  private nextName(service: string): string {
    return `${this.containerName(service)}-next`;
  }

  private port(service: string): number | null {
    return portOf(this.site, service) || null;
  }

  private isStatic(service: string): boolean {
    return serviceOf(this.definition, service).kind === "static";
  }
}

/** Whether containers cannot reach 127.0.0.1 of this machine. If Docker runs in its own virtual machine, that forwards it. */
function loopbackIsApart(platform: string): boolean {
  return process.platform === "linux" && !platform.startsWith("Docker Desktop");
}
