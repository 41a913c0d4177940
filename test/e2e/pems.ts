/** What stands in for PEMS, beside a stand: rows of the queue are really pushed, and it remembers which and when. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PinEdit } from "../../config/edit.ts";
import { secretOf } from "../../config/site.ts";
import { ownProcesses } from "../../drill/remove.ts";
import { planStandIns, standInFolder, startStandIns } from "../../drill/stand-ins.ts";
import { stopProcess } from "../../processes/process.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import type { Stand } from "./stand.ts";

export interface Pems {
  /** Tells the worker of v4.0.0 where PEMS is: to be pinned when the stand is made. */
  edit: PinEdit;
  begin(stand: Stand): Promise<void>;
  /** Ids of the records that were pushed from `at` on, ISO 8601: by its own record, not by the system's. */
  pushedSince(at: string): string[];
  end(): Promise<void>;
}

export async function planPems(): Promise<Pems> {
  const standIns = await planStandIns(pfaVanguard);
  const config = Object.fromEntries(standIns.flatMap(({ urlKey, url }) => (urlKey === null ? [] : [[urlKey, url]])));
  let folder = "";
  return {
    edit: { path: ["releases", "v4.0.0", "services", "worker", "config"], value: config },
    begin: async (stand) => {
      folder = stand.folder;
      await startStandIns(folder, stand.definition, standIns, (name) => secretOf(stand.site, name));
    },
    pushedSince: (at) => {
      const record = join(standInFolder(folder), "pems.jsonl");
      if (!existsSync(record)) return [];
      return readFileSync(record, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { at: string; pfaId: string })
        .filter((push) => push.at >= at)
        .map(({ pfaId }) => pfaId);
    },
    end: async () => {
      if (folder !== "") for (const { name } of standIns) await stopProcess(ownProcesses(folder), `stand-in-${name}`, 0);
    },
  };
}
