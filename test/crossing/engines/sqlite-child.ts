/** Cuts a stand's file over, in a process of its own that a test can kill: `sqlite-child.ts <folder> <epoch> <action as JSON>` */
import { ControlFile } from "../../../control/file.ts";
import { baseSnapshot } from "../../../crossing/at-risk.ts";
import { sqlite } from "../../../crossing/engines/sqlite/engine.ts";
import type { DataAction } from "../../../crossing/plan.ts";
import type { Run } from "../../../crossing/run.ts";
import { controlFile } from "../../../declared/site.ts";
import { DATABASE, definitionIn, siteIn } from "./sqlite-stand.ts";

const [folder, epoch, action] = [process.argv[2]!, Number(process.argv[3]), JSON.parse(process.argv[4]!) as DataAction];
const site = siteIn(folder);
const control = await ControlFile.create(controlFile(site));
await control.lock({ pid: process.pid }, 5_000);
const run: Run = {
  site,
  definition: definitionIn(folder),
  control,
  epoch,
  runId: `run-${epoch}`,
  log: (_severity, line) => console.log(line),
};
await sqlite.close(run, DATABASE);
console.log(JSON.stringify(await sqlite.cutOver(run, DATABASE, action, await baseSnapshot(run, DATABASE, action))));
