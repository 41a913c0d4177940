/** The `process` target: components as real processes on this machine, static components as published folders. */
import { createHash } from "node:crypto";
import { canonical, type ComponentPin } from "../../declared/pins.ts";
import { artefactFolder, endpointOf, processFolder, publishedFolder, secretOf, servicesUrl, type Site } from "../../declared/site.ts";
import { verifyArtefact } from "../../processes/artefact.ts";
import { waitHealthy } from "../../processes/health.ts";
import { confirmStopped, errorLines, observeProcess, startProcess, stopProcess } from "../../processes/process.ts";
import { publish, published } from "../../processes/static-site.ts";
import type { ComponentDefinition, SystemDefinition } from "../../systems/definition.ts";
import type { Observation, Target } from "./target.ts";

/** The ledger has no folder for a component on this target. */
export class ArtefactMissingError extends Error {
  readonly component: string;
  readonly release: string;
  constructor(component: string, release: string) {
    super(`backout:releases.${release}.components.${component} has no \`path\`: the process target runs a release folder; add path and sha256`);
    this.name = "ArtefactMissingError";
    this.component = component;
    this.release = release;
  }
}

export class ProcessTarget implements Target {
  readonly name = "process";
  private readonly site: Site;
  private readonly definition: SystemDefinition;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
  }

  async check(component: string, pin: ComponentPin): Promise<void> {
    const { path, sha256 } = pin.artefact;
    if (path === undefined || sha256 === undefined) throw new ArtefactMissingError(component, pin.release);
    await verifyArtefact({ path: artefactFolder(this.site, path), sha256 });
  }

  async install(component: string, pin: ComponentPin): Promise<string> {
    await this.check(component, pin);
    if (this.kind(component).kind !== "static") return `${pin.release} in place`;
    await publish(publishedFolder(this.site, component), artefactFolder(this.site, pin.artefact.path!), {
      release: pin.release,
      sha256: pin.artefact.sha256!,
    });
    return `${pin.release} published`;
  }

  async stop(component: string): Promise<string> {
    if (this.kind(component).kind === "static") return "static";
    const { how } = await stopProcess(processFolder(this.site), component, this.kind(component).stopGraceMs);
    return how;
  }

  async confirmStopped(components: string[]): Promise<void> {
    await confirmStopped(processFolder(this.site), components);
  }

  async resume(component: string, pin: ComponentPin): Promise<string> {
    const definition = this.kind(component);
    if (definition.kind === "static") return "static";
    const observed = await this.observe(component);
    if (observed.running && !observed.asPinned(pin)) await this.stop(component);
    const port = this.port(component);
    const { state } = await startProcess(processFolder(this.site), {
      name: component,
      folder: artefactFolder(this.site, pin.artefact.path!),
      command: [process.execPath, "--disable-warning=ExperimentalWarning", definition.entry ?? "main.ts"],
      environment: this.environment(component, pin),
      release: pin.release,
      configHash: this.hash(component, pin),
      port,
    });
    if (definition.health !== undefined) await this.untilHealthy(component, definition.health, port);
    return state;
  }

  async observe(component: string): Promise<Observation> {
    if (this.kind(component).kind === "static") {
      const site = await published(publishedFolder(this.site, component));
      return {
        running: site !== null,
        release: site?.release ?? null,
        pid: null,
        asPinned: (pin) => site !== null && site.release === pin.release && site.sha256 === pin.artefact.sha256,
      };
    }
    const { running, pid, release, configHash: hash } = await observeProcess(processFolder(this.site), component);
    return { running, release, pid, asPinned: (pin) => release === pin.release && hash === this.hash(component, pin) };
  }

  async errorLog(component: string, lines: number): Promise<string[]> {
    return this.kind(component).kind === "static" ? [] : errorLines(processFolder(this.site), component, lines);
  }

  /** What a running process must have been started with. */
  private hash(component: string, pin: ComponentPin): string {
    const { host, port } = endpointOf(this.site);
    const started = { config: pin.config, artefact: pin.artefact, listens: this.port(component), server: `${host}:${port}` };
    return createHash("sha256").update(canonical(started)).digest("hex").slice(0, 16);
  }

  private kind(component: string): ComponentDefinition {
    const definition = this.definition.components[component];
    if (definition === undefined) throw new Error(`${this.definition.name} has no component ${component}`);
    return definition;
  }

  private port(component: string): number {
    return this.site.ports[`${component}-upstream`] ?? this.site.ports[component] ?? 0;
  }

  private environment(component: string, pin: ComponentPin): Record<string, string> {
    const definition = this.kind(component);
    const given = definition.environment?.({
      port: this.port(component),
      databaseUrl: (database) => servicesUrl(this.site, database),
      secret: (name) => secretOf(this.site, name),
      release: pin.release,
      config: pin.config,
    });
    return { PATH: process.env["PATH"] ?? "", ...given };
  }

  private async untilHealthy(component: string, health: NonNullable<ComponentDefinition["health"]>, port: number): Promise<void> {
    const folder = processFolder(this.site);
    await waitHealthy({
      name: component,
      url: `http://127.0.0.1:${port}${health.path}`,
      ...(health.body === undefined ? {} : { body: health.body }),
      timeoutMs: health.timeoutMs,
      isAlive: () => observeProcess(folder, component).running,
      errorLines: (lines) => errorLines(folder, component, lines),
    });
  }
}
