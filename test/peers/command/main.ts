/** Entry of the stand-in's process: `pulumi-resource-command <address of the engine>`. */
import "../../../config/load-late.cjs";
import { main } from "@pulumi/pulumi/provider/server.js";
import { messagesTo } from "./messages.ts";
import { CommandProvider } from "./provider.ts";

// An engine that was killed says nothing.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && process.exit(1), 250).unref();

// The server reads the engine's address from the last argument.
await main(new CommandProvider(messagesTo(process.argv[2])), process.argv.slice(2));
