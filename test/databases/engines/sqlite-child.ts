/**
 * Cuts a stand's file over, in a process of its own that a test can kill: `sqlite-child.ts <folder> <epoch> <action as JSON>`; with `reapply` as a
 * fourth word it brings the data as a whole and puts back what was written since.
 */
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { baseSnapshot } from "../../../rollout/at-risk.ts";
import { sqlite } from "./whole.ts";
import type { DataAction } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { bringData } from "../../../rollout/steps/data.ts";
import { stateFile } from "../../../config/site.ts";
import { DATABASE, definitionIn, PINS, planOf, siteIn } from "./sqlite-stand.ts";

const [folder, epoch, action] = [process.argv[2]!, Number(process.argv[3]), JSON.parse(process.argv[4]!) as DataAction];
const site = siteIn(folder);
const state = await SqliteState.create(stateFile(site));
await state.lock({ pid: process.pid }, 5_000);
const run: Run = {
  site,
  definition: definitionIn(folder),
  state,
  epoch,
  runId: `run-${epoch}`,
  log: (_severity, line) => console.log(line),
};
await sqlite.close(run, DATABASE);
if (process.argv[5] === "reapply") console.log(JSON.stringify(await bringData(run, DATABASE, PINS, planOf(action), "reapply")));
else console.log(JSON.stringify(await sqlite.cutOver(run, DATABASE, action, await baseSnapshot(run, DATABASE, action))));
