/** The shop of `order-shop`, with releases v1 and v2, further parts of a definition and files of checks: a system of somebody's own. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { PinEdit } from "../../config/edit.ts";
import { liveFile, type Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { removeDrill } from "../../drill/remove.ts";
import { runVerb } from "../../drill/verbs.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { PROGRAM } from "./order-shop/definition.ts";
import { projectOf } from "./own-program.ts";

export interface ShopStand {
  /** The definition's folder. */
  system: string;
  stack: EphemeralStack;
  site: Site;
  /** Writes the definition's module. `more`: properties, as source text, that replace or follow the shop's. */
  define(more: string): void;
  /** Writes a file below the definition's folder; one that begins with `#!` is executable. */
  write(path: string, text: string): void;
  verb<T = Record<string, unknown>>(name: string, ...given: string[]): ReturnType<typeof runVerb<T>>;
  inFile<T>(work: (database: DatabaseSync) => T): T;
  remove(): Promise<void>;
}

/** Its traffic is its own: nothing of it is private, as it is in drills. */
export async function makeShop(edits: PinEdit[] = []): Promise<ShopStand> {
  const folder = mkdtempSync(join(tmpdir(), "backout-shop-"));
  const system = join(folder, "shop");
  cpSync(join(import.meta.dirname, "order-shop", "migrations"), join(system, "migrations"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  const releases: PinEdit[] = [{ path: ["releases"], value: {} }];
  for (const name of ["v1.0.0", "v2.0.0"]) {
    const path = join(folder, "builds", name, "app");
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "main.ts"), `// ${name}\n${PROGRAM}`);
    const app = { path, sha256: await hashFolder(path) };
    releases.push({ path: ["releases", name], value: { schema: { production: "1_orders" }, services: { app } } });
  }
  const module = join(system, "definition.ts");
  const define = (more: string): void =>
    writeFileSync(
      module,
      `import { definition as shop } from "${join(import.meta.dirname, "order-shop", "definition.ts")}";
export const definition = { ...shop, folder: import.meta.dirname, ${more} };
`,
    );
  define("");
  const stack = await makeEphemeralStack({
    project: projectOf(folder, "orbis-forge", module),
    stack: "orbis-forge",
    folder,
    name: "shop",
    engine: await ensureEngine(),
    edits: [...releases, { path: ["release"], value: "v1.0.0" }, { path: ["standby"], value: "never" }, ...edits],
  });
  stack.environment["BACKOUT_PRIVATE"] = "0";
  const site = { ...(await openStack(stackFile("shop", folder))).site, home: stack.home };
  return {
    system,
    stack,
    site,
    define,
    write: (path, text) => {
      mkdirSync(dirname(join(system, path)), { recursive: true });
      writeFileSync(join(system, path), text);
      chmodSync(join(system, path), text.startsWith("#!") ? 0o755 : 0o644);
    },
    verb: (name, ...given) => runVerb(stack, name, given),
    inFile: (work) => {
      const database = new DatabaseSync(liveFile(site, "production"), { timeout: 5000 });
      try {
        return work(database);
      } finally {
        database.close();
      }
    },
    remove: async () => {
      await removeDrill(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
