/** Static services, the same on every target: a release folder, published as a whole for the traffic gate to serve. */
import type { ServicePin } from "../config/pins.ts";
import { artefactFolder, publishedFolder, type Site } from "../config/site.ts";
import { verifyArtefact, type Artefact } from "../processes/artefact.ts";
import { publish, published } from "../processes/static-site.ts";
import type { Observation, Target } from "./target.ts";

/** The ledger has no release folder for a service that needs one. */
export class ArtefactMissingError extends Error {
  readonly service: string;
  readonly release: string;
  constructor(service: string, release: string, needs: string) {
    super(`backout:releases.${release}.services.${service} has no \`path\`: ${needs}; add path and sha256`);
    this.name = "ArtefactMissingError";
    this.service = service;
    this.release = release;
  }
}

export class StaticTarget implements Target {
  private readonly site: Site;

  constructor(site: Site) {
    this.site = site;
  }

  async check(service: string, pin: ServicePin): Promise<void> {
    await verifyArtefact(folderOf(this.site, service, pin, "a static service is published from a release folder"));
  }

  async prepare(service: string, pin: ServicePin): Promise<void> {
    await this.check(service, pin);
  }

  async install(service: string, pin: ServicePin): Promise<string> {
    const artefact = folderOf(this.site, service, pin, "a static service is published from a release folder");
    await verifyArtefact(artefact);
    const { path, sha256 } = artefact;
    const { state } = await publish(publishedFolder(this.site, service), path, { release: pin.release, sha256 });
    return `${pin.release} ${state === "already" ? "already published" : "published"}`;
  }

  async stop(): Promise<string> {
    return "static";
  }

  async confirmStopped(): Promise<void> {}

  async start(): Promise<string> {
    return "static";
  }

  async observe(service: string): Promise<Observation> {
    const site = published(publishedFolder(this.site, service));
    return {
      running: site !== null,
      release: site?.release ?? null,
      pid: null,
      identity: null,
      startedAtMs: null,
      asPinned: (pin) => site !== null && site.release === pin.release && site.sha256 === pin.artefact.sha256,
    };
  }

  async askHealth(): Promise<null> {
    return null;
  }

  async errorLog(): Promise<string[]> {
    return [];
  }

  async errorMark(): Promise<number> {
    return 0;
  }
}

/** The pinned release folder. @throws ArtefactMissingError if the ledger names none; `needs` says why it is needed. */
export function folderOf(site: Site, service: string, pin: ServicePin, needs: string): Artefact {
  const { path, sha256 } = pin.artefact;
  if (path === undefined || sha256 === undefined) throw new ArtefactMissingError(service, pin.release, needs);
  return { path: artefactFolder(site, path), sha256, service, release: pin.release };
}
