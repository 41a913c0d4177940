/** The `process` target: components as real processes on this machine, static components as published folders. */
import type { ComponentPin } from "../config/pins.ts";
import { processFolder, type Site } from "../config/site.ts";
import { verifyArtefact, type Artefact } from "../processes/artefact.ts";
import {
  confirmStopped,
  errorLines,
  errorLogBytes,
  observeProcess,
  startProcess,
  stopProcess,
  waitProcessHealthy,
} from "../processes/process.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { componentOf, configHash, environmentOf, isSetUpAs, portOf, setupHash } from "./starting.ts";
import { folderOf, StaticTarget } from "./static.ts";
import type { Observation, Target } from "./target.ts";

export { ArtefactMissingError } from "./static.ts";

export class ProcessTarget implements Target {
  readonly name = "process";
  private readonly site: Site;
  private readonly definition: SystemDefinition;
  private readonly statics: StaticTarget;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
    this.statics = new StaticTarget(site);
  }

  async check(component: string, pin: ComponentPin): Promise<void> {
    if (this.isStatic(component)) return this.statics.check(component, pin);
    await verifyArtefact(this.folder(component, pin));
  }

  async prepare(component: string, pin: ComponentPin): Promise<void> {
    await this.check(component, pin);
  }

  async install(component: string, pin: ComponentPin): Promise<string> {
    if (this.isStatic(component)) return this.statics.install(component, pin);
    await this.check(component, pin);
    return `${pin.release} in place`;
  }

  async stop(component: string): Promise<string> {
    if (this.isStatic(component)) return this.statics.stop();
    const { how } = await stopProcess(processFolder(this.site), component, componentOf(this.definition, component).stopGraceMs);
    return how;
  }

  async confirmStopped(components: string[]): Promise<void> {
    confirmStopped(processFolder(this.site), components);
  }

  async resume(component: string, pin: ComponentPin): Promise<string> {
    if (this.isStatic(component)) return this.statics.resume();
    const definition = componentOf(this.definition, component);
    const observed = await this.observe(component);
    if (observed.running && !observed.asPinned(pin)) await this.stop(component);
    const port = portOf(this.site, component);
    const folder = processFolder(this.site);
    const { state } = await startProcess(folder, {
      name: component,
      folder: this.folder(component, pin).path,
      command: [process.execPath, "--disable-warning=ExperimentalWarning", definition.entry ?? "main.ts"],
      environment: { ...forNode(), ...environmentOf(this.site, this.definition, component, pin) },
      release: pin.release,
      configHash: configHash(this.site, component, pin),
      setupHash: setupHash(pin),
      port,
    });
    if (definition.health !== undefined) {
      const { path, body, timeoutMs } = definition.health;
      await waitProcessHealthy(folder, component, {
        url: `http://127.0.0.1:${port}${path}`,
        ...(body === undefined ? {} : { body }),
        timeoutMs,
      });
    }
    return state;
  }

  async observe(component: string): Promise<Observation> {
    if (this.isStatic(component)) return this.statics.observe(component);
    const { running, pid, release, configHash: hash, record } = observeProcess(processFolder(this.site), component);
    const asPinned = (pin: ComponentPin): boolean =>
      release === pin.release && hash === configHash(this.site, component, pin) && isSetUpAs(pin, record?.setupHash);
    const identity = running ? `${record!.pid}/${record!.startTime}` : null;
    return { running, release, pid, identity, startedAtMs: running ? Date.parse(record!.startedAt) : null, asPinned };
  }

  async errorLog(component: string, lines: number, since?: number): Promise<string[]> {
    return this.isStatic(component) ? this.statics.errorLog() : errorLines(processFolder(this.site), component, lines, since);
  }

  async errorMark(component: string): Promise<number> {
    return this.isStatic(component) ? this.statics.errorMark() : errorLogBytes(processFolder(this.site), component);
  }

  private isStatic(component: string): boolean {
    return componentOf(this.definition, component).kind === "static";
  }

  private folder(component: string, pin: ComponentPin): Artefact {
    return folderOf(this.site, component, pin, "the process target runs a release folder");
  }
}

/** What Node itself needs; a program that was compiled before starts in half the time. */
function forNode(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE: compiled } = process.env;
  return { PATH, ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }) };
}
