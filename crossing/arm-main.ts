/** Background process: makes and verifies the armed copies that are missing, then ends. `node arm-main.ts <site.json>` */
import { readFileSync } from "node:fs";
import { ControlStore } from "../control/store.ts";
import { controlName, definitionOf, endpointOf, type Site } from "../declared/site.ts";
import { arm, toArm, underLock } from "./arming.ts";

const { site, policy } = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as { site: Site; policy: "deploy" | "always" };
const definition = await definitionOf(site);
const control = await ControlStore.open(endpointOf(site), controlName(site, definition));
if (control !== null) {
  const say = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
  try {
    await underLock(control.client, async () => {
      for (const snapshot of await toArm(control.client, policy)) {
        const copy = await arm({ site, definition, control, log: (_severity, message) => say(message) }, snapshot);
        say(`${snapshot.name}@${snapshot.generation} of ${snapshot.database} is armed: ${copy.name}`);
      }
    });
  } finally {
    await control.end();
  }
}
