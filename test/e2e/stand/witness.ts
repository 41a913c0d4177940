/** The drill's witness at work, and what it has to say. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { secretOf } from "../../../config/site.ts";
import { outsideOf } from "../../../drill/outside.ts";
import { judgementOf, readJournal, startWitness, stopWitness, untilSeen } from "../../../drill/witness-process.ts";
import type { Judgement } from "../../../drill/witness/judge.ts";
import type { Base } from "./base.ts";
import { databasesOf } from "./databases.ts";
import { drillOf } from "../../../config/system/drill.ts";

export interface Watched {
  /** Resolves once `more` further writes have been acknowledged. */
  acknowledged(more: number): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and has it judge: live, what the rollout set aside, and what it exported. */
  judgement(epoch: number): Promise<Judgement>;
}

/** The drill's witness: a process of its own with its own HTTP and SQL, that remembers every acknowledged insert, update and delete. */
export function witnessOf(stand: Base) {
  const { folder, site, definition } = stand;
  return {
    /** Judges one restore: begin one for each. */
    witness: async (): Promise<Watched> => {
      const own = await mkdtemp(join(folder, "witness-"));
      const script = drillOf(definition).witness;
      const run = await startWitness({ drill: own }, script, `http://127.0.0.1:${site.ports[script.service]}`, (name) =>
        secretOf(site, name),
      );
      return {
        acknowledged: async (more) => {
          const enough = readJournal(run).acknowledgedAt.length + more;
          if (await untilSeen(run, ({ acknowledgedAt }) => acknowledgedAt.length >= enough, 60_000)) return;
          throw new Error(`the witness did not have ${more} more writes acknowledged`);
        },
        stop: () => stopWitness(run),
        judgement: async (epoch) => {
          await stopWitness(run);
          const outside = await outsideOf(stand);
          const quarantines = (await outside.quarantines(epoch)).map(({ place }) => place);
          const exported = await databasesOf(stand).exports(epoch);
          return outside.withDoors(quarantines, () =>
            judgementOf(run, {
              live: outside.addressOf(Object.values(outside.live)[0]!),
              quarantines: quarantines.map((place) => outside.addressOf(place)),
              exports: exported.map(({ path }) => path).filter((path) => path.endsWith(".jsonl")),
            }),
          );
        },
      };
    },
  };
}

/** What the witness has to say where nothing went wrong: every write it was promised is there with its content, in the exports, too. */
export function expectNothingLost(judgement: Judgement): void {
  const { lost, wrong, resurrected, problems, acknowledged, accountedFor } = judgement;
  expect({ lost, wrong, resurrected, problems, missing: judgement.exports.missing }).toEqual({
    lost: [],
    wrong: [],
    resurrected: [],
    problems: [],
    missing: [],
  });
  expect(accountedFor.nowhere).toBe(0);
  // A witness that was promised nothing has nothing to say.
  expect(Math.min(acknowledged.inserts, acknowledged.updates, acknowledged.deletes), JSON.stringify(acknowledged)).toBeGreaterThan(0);
  expect(accountedFor.quarantine, JSON.stringify(judgement.databases)).toBeGreaterThan(0);
  expect(judgement.exports.found).toBeGreaterThan(0);
}
