/** Entry of the provider's process: `pulumi-resource-backout <address of the engine>`. */
import { provider } from "@pulumi/pulumi";
import { engineLog } from "./engine-log.ts";
import { watchLifetime } from "./lifetime.ts";
import { BackoutProvider } from "./provider.ts";
import { RESOURCES } from "./resources/index.ts";

watchLifetime();
// The server reads the engine's address from the last argument.
await provider.main(new BackoutProvider("0.1.0", RESOURCES, engineLog(process.argv[2])), process.argv.slice(2));
