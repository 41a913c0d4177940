/** Entry of the provider's process: `pulumi-resource-backout <address of the engine>`. */
import "../config/load-late.cjs";
// The server alone: the whole package takes four times as long to load, in every preview and again in every update.
import { main } from "@pulumi/pulumi/provider/server.js";
import { VERSION } from "../config/version.ts";
import { engineLog } from "../provider/engine-log.ts";
import { watchLifetime } from "../provider/lifetime.ts";
import { BackoutProvider } from "../provider/provider.ts";

watchLifetime();
// Loaded while the server already listens and the engine goes on.
const resources = new Promise<void>((resolve) => setImmediate(resolve)).then(
  async () => (await import("../provider/resources/index.ts")).RESOURCES,
);
const component = async () => ({ ...(await import("../components/construct.ts")), ...(await import("../components/package-schema.ts")) });
// The server reads the engine's address from the last argument.
await main(new BackoutProvider(VERSION, resources, engineLog(process.argv[2]), component), process.argv.slice(2));
