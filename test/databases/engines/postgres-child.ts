/** Brings a stand's data in a process of its own that a test can kill, and puts back what was written since: `postgres-child.ts <site as JSON>` */
import { createState } from "../../../databases/open-state.ts";
import { engineOn } from "./whole.ts";
import type { Run } from "../../../config/run.ts";
import { bringData } from "../../../rollout/steps/data.ts";
import type { Site } from "../../../config/site.ts";
import { DATABASE, definitionIn, PINS, planOf, RESTORE } from "./postgres-stand.ts";

const site = JSON.parse(process.argv[2]!) as Site;
const definition = definitionIn(site.project);
const state = await createState(site, definition);
const run: Run = { site, definition, state, epoch: 3, runId: "run-3", log: (_severity, line) => console.log(line) };
await engineOn(site.server!).close(run, DATABASE);
console.log(JSON.stringify(await bringData(run, DATABASE, PINS, planOf(RESTORE), "reapply")));
