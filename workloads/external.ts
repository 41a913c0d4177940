/**
 * Services of kind `external`: resources that the program declares, or whatever their control drives. backout stops, starts and observes them by
 * the control; what has none is not touched.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServicePin } from "../config/pins.ts";
import { plainConfig } from "../config/secret-config.ts";
import { definedSecret } from "../config/secrets.ts";
import { artefactFolder, databaseUrl, type Site } from "../config/site.ts";
import type { ControlContext, ControlPin } from "../config/system/control.ts";
import type { HealthDefinition } from "../config/system/health.ts";
import type { ServiceDefinition, SystemDefinition } from "../config/system/definition.ts";
import { waitHealthy, type HealthAnswer } from "../processes/health.ts";
import { askService, runHere } from "./health.ts";
import { portOf, serviceOf } from "./starting.ts";
import type { Observation, Target } from "./target.ts";

/** A control did not do what it is for. */
export class ControlError extends Error {
  readonly service: string;
  constructor(service: string, what: string) {
    super(`${service} ${what}`);
    this.name = "ControlError";
    this.service = service;
  }
}

const BETWEEN_MS = 100;

export class ExternalTarget implements Target {
  private readonly site: Site;
  private readonly definition: SystemDefinition;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
  }

  /** Its artefact is the business of the program's resource, which the engine previews. */
  async check(): Promise<void> {
    return Promise.resolve();
  }

  async prepare(): Promise<void> {
    return Promise.resolve();
  }

  async install(service: string, pin: ServicePin): Promise<string> {
    const { control } = this.definitionOf(service);
    if (control?.install === undefined) return `${pin.release} declared`;
    await control.install(this.contextWith(service, pin));
    return `${pin.release} in place`;
  }

  async stop(service: string): Promise<string> {
    const { control, stopGraceMs } = this.definitionOf(service);
    if (control?.stop === undefined) return "has no control to stop it: it keeps running and cannot reach the data";
    if ((await control.observe?.(this.context(service)))?.running === false) return "already stopped";
    await within(service, stopGraceMs, "stop", control.stop(this.context(service)));
    await this.untilStopped(service, Date.now() + stopGraceMs);
    return "stopped";
  }

  async confirmStopped(services: string[]): Promise<void> {
    for (const service of services) await this.untilStopped(service, Date.now());
  }

  async start(service: string, pin: ServicePin): Promise<string> {
    const { control, health } = this.definitionOf(service);
    const running = (await control?.observe?.(this.context(service)))?.running;
    if (running !== true) await control?.start?.(this.contextWith(service, pin));
    const { timeoutMs = 60_000 } = health ?? {};
    if (control?.observe !== undefined) await this.untilRuns(service, pin.release, Date.now() + timeoutMs);
    if (health !== undefined)
      await waitHealthy({
        name: service,
        check: async () => this.ask(service, health, await this.portNow(service)),
        timeoutMs,
        isAlive: () => true,
      });
    return running === true || control?.start === undefined ? "runs" : "started";
  }

  async observe(service: string): Promise<Observation> {
    const { control, health } = this.definitionOf(service);
    const seen =
      control?.observe !== undefined
        ? await control.observe(this.context(service))
        : { running: health === undefined || (await this.ask(service, health)).healthy };
    const { running, release = null, identity = null, startedAtMs = null, port } = seen as Partial<Observation> & { running: boolean };
    return {
      running,
      release,
      pid: null,
      identity,
      startedAtMs,
      ...(port === undefined ? {} : { port }),
      asPinned: (pin) => release === null || release === pin.release,
    };
  }

  async askHealth(service: string): Promise<HealthAnswer | null> {
    const { health } = this.definitionOf(service);
    return health === undefined ? null : this.ask(service, health, await this.portNow(service));
  }

  /** A health command runs on this machine, in the system's folder. */
  private ask(service: string, health: HealthDefinition, port = portOf(this.site, service)): Promise<HealthAnswer> {
    return askService(health, port, runHere(this.definition.folder, { PORT: String(port) }));
  }

  private async portNow(service: string): Promise<number> {
    const seen = await this.definitionOf(service).control?.observe?.(this.context(service));
    return seen?.port ?? portOf(this.site, service);
  }

  /** Its logs are where the program keeps them. */
  async errorLog(): Promise<string[]> {
    return Promise.resolve([]);
  }

  async errorMark(): Promise<number> {
    return Promise.resolve(0);
  }

  private definitionOf(service: string): ServiceDefinition {
    return serviceOf(this.definition, service);
  }

  private context(service: string): ControlContext {
    const { site, definition } = this;
    return {
      system: definition.name,
      stack: site.stack,
      service,
      port: portOf(site, service),
      databaseUrl: (database) => databaseUrl(site, definition, database),
      secret: (name) => definedSecret(site, definition, name),
    };
  }

  private contextWith(service: string, pin: ServicePin): ControlContext & ControlPin {
    const { path, image, commit } = pin.artefact;
    return {
      ...this.context(service),
      release: pin.release,
      config: plainConfig(this.site, pin.config),
      ...(path === undefined ? {} : { path: artefactFolder(this.site, path) }),
      ...(image === undefined ? {} : { image }),
      ...(commit === undefined ? {} : { commit }),
    };
  }

  private async untilStopped(service: string, deadline: number): Promise<void> {
    const { control } = this.definitionOf(service);
    if (control?.stop === undefined || control.observe === undefined) return;
    while ((await control.observe(this.context(service))).running) {
      if (Date.now() >= deadline)
        throw new ControlError(service, "still runs after its control stopped it: correct `control.stop` in the program");
      await sleep(BETWEEN_MS);
    }
  }

  private async untilRuns(service: string, release: string, deadline: number): Promise<void> {
    const { control } = this.definitionOf(service);
    for (;;) {
      const { running, release: seen = release } = await control!.observe!(this.context(service));
      if (running && seen === release) return;
      if (Date.now() >= deadline)
        throw new ControlError(service, running ? `runs ${seen}, not ${release}` : "does not run: its control has not started it");
      await sleep(BETWEEN_MS);
    }
  }
}

async function within(service: string, limitMs: number, what: string, work: Promise<void>): Promise<void> {
  const late = sleep(Math.max(limitMs, BETWEEN_MS), "late", { ref: false });
  if ((await Promise.race([work, late])) === "late")
    throw new ControlError(service, `: its control needed more than ${limitMs} ms to ${what} it`);
}
