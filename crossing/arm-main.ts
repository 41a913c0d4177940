/** Background process: makes and verifies the armed copies that are missing, then ends. `node arm-main.ts <site.json>` */
import { readFileSync } from "node:fs";
import { openControl } from "../control/open.ts";
import { definitionOf, type Site } from "../declared/site.ts";
import { toArm } from "./arming.ts";
import { engineOf } from "./engine.ts";

const { site, policy } = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as { site: Site; policy: "deploy" | "always" };
const definition = await definitionOf(site);
const control = await openControl(site, definition);
if (control !== null) {
  const say = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
  try {
    await control.whileArming(async () => {
      for (const snapshot of await toArm(control, policy)) {
        const engine = await engineOf(definition, snapshot.database);
        const copy = await engine.arm({ site, definition, control, log: (_severity, message) => say(message) }, snapshot);
        say(`${snapshot.name}@${snapshot.generation} of ${snapshot.database} is armed: ${copy.name}`);
      }
    });
  } finally {
    await control.end();
  }
}
