/**
 * The provider's version, requested before any resource is declared. The request also makes the engine start the provider while the program
 * loads, which saves its start time in every preview and update.
 */
import { invoke } from "@pulumi/pulumi/runtime/invoke.js";
import { describedFolder } from "../config/program.ts";
import { VERSION } from "../config/version.ts";

/** Turns of the event loop until a request is sent: it is built in many small steps. */
const TURNS_TO_LEAVE = 30;

/** Program and provider come from different releases of backout and may not understand each other. */
export class ProviderVersionError extends Error {
  readonly program: string;
  readonly provider: string;
  constructor(program: string, provider: string) {
    super(
      `the program uses backout ${program}, the provider is of backout ${provider}: nothing was declared. ` +
        "Set `plugins.providers` in Pulumi.yaml to the provider folder of the same package",
    );
    this.name = "ProviderVersionError";
    this.program = program;
    this.provider = provider;
  }
}

let started: Promise<{ running: Promise<void> }> | undefined;

/**
 * Resolves when the start of the provider has been requested, with a promise for its version: rejected with a ProviderVersionError if it is
 * of another release. Asks once, however often it is called.
 */
export function startProvider(): Promise<{ running: Promise<void> }> {
  started ??= start();
  return started;
}

async function start(): Promise<{ running: Promise<void> }> {
  // Loaded for its system only: there is no engine that starts a provider.
  if (describedFolder() !== null) return { running: Promise.resolve() };
  const running = invoke("backout:index:getVersion", {}, { async: true }).then((answer) => {
    const { version } = answer as { version: string };
    if (version !== VERSION) throw new ProviderVersionError(VERSION, version);
  });
  // Loading modules next keeps the event loop busy.
  for (let turn = 0; turn < TURNS_TO_LEAVE; turn++) await new Promise((resolve) => setImmediate(resolve));
  return { running };
}
