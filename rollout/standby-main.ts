/** Background process: makes and verifies the standby copies that are missing, then ends. `node standby-main.ts <site.json>` */
import { readFileSync } from "node:fs";
import { openState } from "../databases/open-state.ts";
import { definitionOf, type Site } from "../config/site.ts";
import { prepareStandby, missingStandbys } from "./standby.ts";

const { site, policy } = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as { site: Site; policy: "deploy" | "always" };
const definition = await definitionOf(site);
const state = await openState(site, definition);
if (state !== null) {
  const say = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
  try {
    await state.whileMakingStandby(async () => {
      for (const snapshot of await missingStandbys(state, policy)) {
        const named = `${snapshot.name}@${snapshot.generation} of ${snapshot.database}`;
        await prepareStandby({ site, definition, state, log: (_severity, message) => say(message) }, snapshot).then(
          (copy) => say(`${named} has its standby copy: ${copy.name}`),
          (error: unknown) => say(`${named} has no standby copy: ${(error as Error).message}`),
        );
      }
    });
  } finally {
    await state.end();
  }
}
