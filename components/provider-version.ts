/**
 * The provider's version, asked before anything is declared. Asking also makes the engine start the provider: it loads while the program does,
 * which saves its start in every preview and again in every update.
 */
import { invoke } from "@pulumi/pulumi/runtime/invoke.js";
import { VERSION } from "../config/version.ts";

/** Turns of the event loop until a request has left: it is put together in many small steps. */
const TURNS_TO_LEAVE = 30;

/** Services and provider come from different releases of backout: what one declares the other may not understand. */
export class ProviderVersionError extends Error {
  readonly services: string;
  readonly provider: string;
  constructor(services: string, provider: string) {
    super(
      `the services are of backout ${services}, the provider is of ${provider}: nothing was declared. ` +
        "Let `plugins.providers` in Pulumi.yaml name the provider folder of the same package",
    );
    this.name = "ProviderVersionError";
    this.services = services;
    this.provider = provider;
  }
}

/** Resolves when the engine has been asked to start the provider, with what is settled when it runs: rejected with a ProviderVersionError where it is of another release. */
export async function startProvider(): Promise<{ running: Promise<void> }> {
  const running = invoke("backout:index:getVersion", {}, { async: true }).then((answer) => {
    const { version } = answer as { version: string };
    if (version !== VERSION) throw new ProviderVersionError(VERSION, version);
  });
  // Whoever loads modules next keeps the event loop busy.
  for (let turn = 0; turn < TURNS_TO_LEAVE; turn++) await new Promise((resolve) => setImmediate(resolve));
  return { running };
}
