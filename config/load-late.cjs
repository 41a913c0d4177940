"use strict";

// In every program `@pulumi/pulumi` loads TypeScript and npm's resolver, which it needs where functions are serialised and nowhere else. They
// are more than half of what a program loads, so they are loaded when they are first used.
const Module = require("node:module");

const LATE = ["typescript", "@npmcli/arborist"];
const load = Module._load;

Module._load = function (request, parent, isMain) {
  const fromPulumi = /[\\/]@pulumi[\\/]pulumi[\\/]/.test(parent?.filename ?? "");
  if (!fromPulumi || !LATE.includes(request)) return load.call(this, request, parent, isMain);
  let loaded;
  const real = () => (loaded ??= load.call(this, request, parent, isMain));
  // A module of this kind is handed on as it is, without a look at what it has.
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
};
