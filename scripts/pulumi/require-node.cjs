"use strict";

// Loaded before a verb, and before the Pulumi program by `nodeargs` of Pulumi.yaml, so it has to run on any old Node, up to its last line.
var found = process.versions.node.split(".").map(Number);
if (found[0] < 22 || (found[0] === 22 && found[1] < 18)) {
  var verb = /[\\/]backout(\.js)?$/.test(process.argv[1] || "");
  process.stderr.write(
    "backout needs Node 22.18 or newer, but this is Node " +
      process.versions.node +
      " (" +
      process.execPath +
      "): " +
      (verb ? "" : "use `npm run pulumi -- …`, which brings its own, or ") +
      "put a newer Node first on your PATH.\n",
  );
  // 32 means to Pulumi's language host that the user has seen the error: it adds no stack trace.
  process.exit(verb ? 3 : 32);
}

require("../../config/load-late.cjs");
