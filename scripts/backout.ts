#!/usr/bin/env node
/** Entry of `backout <verb>`. What Node compiled once is kept in the user's cache: loading a verb takes half the time after that. */
import "./pulumi/require-node.cjs";
import * as modules from "node:module";
import { compileCacheFolder } from "./pulumi/cache-folder.ts";

modules.enableCompileCache(compileCacheFolder());
await import("./verbs/program.ts");
