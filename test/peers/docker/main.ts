/**
 * Stands in for the plugin of `@pulumi/docker` in tests: it speaks the engine's protocol and drives a real Docker daemon. It does what the real one
 * does, its surprises included: only so is a test with it worth something.
 *
 * Not there: other types than the four of `provider.ts`, functions, and the configuration of a provider (`docker:host`): the daemon is DOCKER_HOST's.
 */
import { main } from "@pulumi/pulumi/provider/server.js";
import { PROVIDER } from "./provider.ts";

// Nobody says that the engine was killed. What is in flight is cut off, as a process is that ends.
const engine = Number(process.env["PEER_ENGINE"] ?? process.ppid);
setInterval(() => process.ppid !== engine && process.exit(1), 500).unref();

await main(PROVIDER, process.argv.slice(2));
