/** Entry of the provider's process: `pulumi-resource-backout <address of the engine>`. */
// The server alone: the whole package takes four times as long to load, in every preview and again in every update.
import { main } from "@pulumi/pulumi/provider/server.js";
import { engineLog } from "./engine-log.ts";
import { watchLifetime } from "./lifetime.ts";
import { BackoutProvider } from "./provider.ts";
import { VERSION } from "../config/version.ts";

watchLifetime();
// Loaded while the server already listens and the engine goes on.
const resources = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => (await import("./resources/index.ts")).RESOURCES);
// The server reads the engine's address from the last argument.
await main(new BackoutProvider(VERSION, resources, engineLog(process.argv[2])), process.argv.slice(2));
