"use strict";

// In every program `@pulumi/pulumi` loads TypeScript, npm's resolver and OpenTelemetry, which it needs where functions are serialised or an update
// is traced, and nowhere else. They are more than half of what a program loads, so they are loaded when they are first used.
const Module = require("node:module");

const LATE = ["typescript", "@npmcli/arborist", "js-yaml", "semver"];
/** Takes functions and classes out of these at once, and calls them only where an update is traced. */
const TRACING = /[\\/]cmd[\\/]run[\\/]tracing\.js$/;
const OF_TRACING = /^@opentelemetry\/(?!api$)/;
const load = Module._load;

Module._load = function (request, parent, isMain) {
  const from = parent?.filename ?? "";
  if (!/[\\/]@pulumi[\\/]pulumi[\\/]/.test(from)) return load.call(this, request, parent, isMain);
  const now = () => load.call(this, request, parent, isMain);
  let loaded;
  const real = () => (loaded ??= now());
  if (OF_TRACING.test(request) && TRACING.test(from)) return new Proxy({}, { get: (_, key) => member(real, key) });
  if (request === "source-map-support/register") return mapStackTraces(from, now);
  return LATE.includes(request) ? whole(real) : now();
};

/** A module of this kind is handed on as it is, without a look at what it has. */
function whole(real) {
  return new Proxy(
    {},
    {
      get: (_, key) => (key === "__esModule" ? true : real()[key]),
      has: (_, key) => key in real(),
      ownKeys: () => Reflect.ownKeys(real()),
      getOwnPropertyDescriptor: (_, key) => {
        const found = Reflect.getOwnPropertyDescriptor(real(), key);
        return found && { ...found, configurable: true };
      },
    },
  );
}

function member(real, key) {
  return function (...given) {
    return new.target === undefined ? real()[key].apply(this, given) : Reflect.construct(real()[key], given);
  };
}

/** Of a package's own files the lines that run are as good as those they were compiled from, and reading their maps takes long. */
function mapStackTraces(from, register) {
  const support = Module.createRequire(from)("source-map-support");
  support.install({ retrieveFile: (path) => (/[\\/]node_modules[\\/]/.test(path) ? " " : null) });
  return register();
}
