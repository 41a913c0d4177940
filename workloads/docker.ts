/**
 * The `docker` target: services and workers as containers of the Docker daemon on this machine, static components as published folders.
 *
 * A container is named `<stack>-<component>` and labelled with what it was made of; the one before is kept, stopped, as
 * `<stack>-<component>-previous-<time>`. The image's own command is run: a definition's `entry` means nothing here. The component listens on
 * its port on all addresses of its container (`HOST` says so), and the port is published on 127.0.0.1 only. A URL on 127.0.0.1 in its environment, the
 * database's above all, becomes one on `host.docker.internal`, so what is on this machine must listen on an address that containers reach
 * (with Docker Engine on Linux that of the bridge, 172.17.0.1 by default; Docker Desktop passes on to 127.0.0.1 itself).
 */
import type { ComponentPin } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import { PortTakenError } from "../processes/process.ts";
import { holderOf, isPortFree } from "../processes/ports.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
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
import { untilHealthy } from "./docker-health.ts";
import { imageOf, makePresent, requireObtainable } from "./docker-images.ts";
import { componentOf, configHash, environmentOf, isSetUpAs, portOf, setupHash } from "./starting.ts";
import { StaticTarget } from "./static.ts";
import type { Observation, Target } from "./target.ts";

/** What Docker may take to stop a container after the grace has passed. */
const STOP_MARGIN_MS = 60_000;

export class DockerTarget implements Target {
  readonly name = "docker";
  private readonly site: Site;
  private readonly definition: SystemDefinition;
  private readonly statics: StaticTarget;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
    this.statics = new StaticTarget(site);
  }

  /**
   * An image that a registry may have counts as there: it is pulled by `prepare`.
   * @throws ImageUndeclaredError, DatabaseFileOutOfReachError, PortUndeclaredError, DockerUnreachableError, ServerOutOfReachError,
   * ContainerNameTakenError, ImageMissingError
   */
  async check(component: string, pin: ComponentPin): Promise<void> {
    const definition = componentOf(this.definition, component);
    if (definition.kind === "static") return this.statics.check(component, pin);
    imageOf(component, pin);
    const files = definition.databases.filter((database) => this.definition.databases[database]?.engine === "sqlite");
    if (files.length > 0) throw new DatabaseFileOutOfReachError(component, files);
    if (this.port(component) === null && (definition.kind === "service" || definition.health !== undefined))
      throw new PortUndeclaredError(component);
    const platform = await docker(commands.versionArguments());
    if (this.site.server?.embedded === true && definition.databases.length > 0 && loopbackIsApart(platform))
      throw new ServerOutOfReachError(component);
    await this.slot(component, await containersOf(this.site.stack, component));
    await requireObtainable(component, pin);
  }

  /** @throws as `check` */
  async prepare(component: string, pin: ComponentPin): Promise<void> {
    await this.check(component, pin);
    if (!this.isStatic(component)) await makePresent(component, pin);
  }

  async install(component: string, pin: ComponentPin): Promise<string> {
    if (this.isStatic(component)) return this.statics.install(component, pin);
    return `${pin.release} ${await makePresent(component, pin)}`;
  }

  /** @throws ContainersRunningError where Docker could not end one. */
  async stop(component: string): Promise<string> {
    if (this.isStatic(component)) return this.statics.stop();
    const running = (await containersOf(this.site.stack, component)).filter((container) => container.running);
    if (running.length === 0) return "already stopped";
    const ids = running.map(({ id }) => id);
    const { stopGraceMs } = componentOf(this.definition, component);
    await docker(commands.stopArguments(ids, stopGraceMs), { timeoutMs: stopGraceMs * ids.length + STOP_MARGIN_MS });
    await this.confirmStopped([component]);
    const SIGKILLED = 137;
    const ended = (await containersOf(this.site.stack, component)).filter(({ id }) => ids.includes(id));
    return ended.some(({ exitCode }) => exitCode === SIGKILLED) ? "killed" : "terminated";
  }

  async confirmStopped(components: string[]): Promise<void> {
    const all = await Promise.all(
      components.filter((component) => !this.isStatic(component)).map((component) => containersOf(this.site.stack, component)),
    );
    const running = all.flat().filter((container) => container.running);
    if (running.length > 0) throw new ContainersRunningError(running);
  }

  /**
   * Creates the new container before it stops or renames the old one; only what was seen healthy comes back by itself after a crash or a
   * restart of the machine, and only then is anything removed.
   * @throws ImageMissingError, PortTakenError, ContainerNameTakenError, NeverHealthyError, DockerCommandError
   */
  async resume(component: string, pin: ComponentPin): Promise<string> {
    if (this.isStatic(component)) return this.statics.resume();
    const containers = await containersOf(this.site.stack, component);
    const slot = await this.slot(component, containers);
    const running = containers.filter((container) => container.running);
    const already = slot !== null && slot.running && running.length === 1 && this.isAsPinned(slot, pin);
    const id = already ? slot.id : await this.replace(component, pin, containers, slot);
    await untilHealthy({ component, id, port: this.port(component) ?? 0, health: componentOf(this.definition, component).health });
    await docker(commands.keepRunningArguments(id));
    await this.retire(component, pin, containers, id);
    return already ? "already" : "started";
  }

  async observe(component: string): Promise<Observation> {
    if (this.isStatic(component)) return this.statics.observe(component);
    const containers = await containersOf(this.site.stack, component);
    // What runs counts, under whatever name.
    const seen = containers.find(({ running }) => running) ?? containers.find(({ name }) => name === this.containerName(component));
    return {
      running: seen?.running ?? false,
      release: seen?.labels[commands.LABELS.release] ?? null,
      pid: seen?.pid ?? null,
      identity: seen?.running === true ? `${seen.id}/${seen.startedAt}/${seen.restarts}` : null,
      startedAtMs: seen?.running === true ? Date.parse(seen.startedAt) : null,
      asPinned: (pin) => seen !== undefined && this.isAsPinned(seen, pin),
    };
  }

  async errorLog(component: string, lines: number, since = 0): Promise<string[]> {
    if (this.isStatic(component)) return this.statics.errorLog();
    const container = (await containersOf(this.site.stack, component)).find(({ name }) => name === this.containerName(component));
    if (container === undefined) return [];
    if (since === 0) return lastErrorLines(commands.logsArguments(container.id), lines);
    return (await lastErrorLines(commands.logsArguments(container.id), Number.MAX_SAFE_INTEGER)).slice(since).slice(-lines);
  }

  /** In lines. */
  async errorMark(component: string): Promise<number> {
    return this.isStatic(component) ? this.statics.errorMark() : (await this.errorLog(component, Number.MAX_SAFE_INTEGER)).length;
  }

  /** Puts a new container in the place of `slot` and starts it. Killed anywhere in between, the next run takes it up again. */
  private async replace(component: string, pin: ComponentPin, containers: Container[], slot: Container | null): Promise<string> {
    await makePresent(component, pin);
    const name = this.containerName(component);
    const leftOver = containers.find((container) => container.name === this.nextName(component));
    if (leftOver !== undefined) await docker(commands.removeArguments(leftOver.id));
    const id = await createContainer(this.spec(component, pin));
    if (containers.some((container) => container.running)) await this.stop(component);
    const port = this.port(component);
    if (port !== null && !(await isPortFree(port))) throw new PortTakenError(component, port, holderOf(port));
    if (slot !== null)
      await docker(commands.renameArguments(slot.id, `${name}-previous-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, "")}`));
    await docker(commands.renameArguments(id, name));
    await docker(commands.startArguments(id));
    return id;
  }

  /** Of what was there before, the newest that is not the same as what runs now is the way back by hand; the rest goes. */
  private async retire(component: string, pin: ComponentPin, before: Container[], id: string): Promise<void> {
    const old = before.filter((container) => container.id !== id && container.name !== this.nextName(component));
    const keep = old.find((container) => !this.isAsPinned(container, pin));
    for (const container of old) if (container !== keep) await docker(commands.removeArguments(container.id));
  }

  /** The container that has the component's name. @throws ContainerNameTakenError where that, or the name of the next one, is somebody else's. */
  private async slot(component: string, containers: Container[]): Promise<Container | null> {
    for (const name of [this.containerName(component), this.nextName(component)]) {
      if (containers.some((container) => container.name === name)) continue;
      const foreign = await containerNamed(name);
      if (foreign !== null) throw new ContainerNameTakenError(name, foreign.id);
    }
    return containers.find(({ name }) => name === this.containerName(component)) ?? null;
  }

  private spec(component: string, pin: ComponentPin): commands.ContainerSpec {
    const environment = environmentOf(this.site, this.definition, component, pin);
    return {
      name: this.nextName(component),
      stack: this.site.stack,
      component,
      release: pin.release,
      configHash: configHash(this.site, component, pin),
      setupHash: setupHash(pin),
      image: imageOf(component, pin),
      port: this.port(component),
      // A published port does not reach a program that listens on its container's loopback.
      environment: { HOST: "0.0.0.0", ...commands.seenFromInside(environment, portOf(this.site, component)) },
    };
  }

  private isAsPinned(container: Container, pin: ComponentPin): boolean {
    const { labels } = container;
    const component = labels[commands.LABELS.component] ?? "";
    return (
      labels[commands.LABELS.release] === pin.release &&
      labels[commands.LABELS.config] === configHash(this.site, component, pin) &&
      isSetUpAs(pin, labels[commands.LABELS.setup]) &&
      isMadeOf(container, pin.artefact.image ?? "")
    );
  }

  private containerName(component: string): string {
    return `${this.site.stack}-${component}`;
  }

  private nextName(component: string): string {
    return `${this.containerName(component)}-next`;
  }

  private port(component: string): number | null {
    return portOf(this.site, component) || null;
  }

  private isStatic(component: string): boolean {
    return componentOf(this.definition, component).kind === "static";
  }
}

/** Whether 127.0.0.1 of this machine is out of a container's reach. Where Docker runs in a virtual machine of its own, that passes it on. */
function loopbackIsApart(platform: string): boolean {
  return process.platform === "linux" && !platform.startsWith("Docker Desktop");
}
