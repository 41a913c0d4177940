/** One witness from its start to its stop. */
import { randomInt } from "node:crypto";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { Client } from "./client.ts";
import { loadConfig, loginBody } from "./config.ts";
import { Journal } from "./journal.ts";
import { readMemory, type Memory } from "./memory.ts";
import { highestId, newTally, ownRows, readAllTheTime, writeAllTheTime, type Shift } from "./writer.ts";

async function earlierMemory(file: string): Promise<Memory | null> {
  return existsSync(file) && statSync(file).size > 0 ? await readMemory(file) : null;
}

/** Writes until `stopping` is aborted. */
export async function witness(configFile: string, stopping: AbortSignal): Promise<void> {
  const config = loadConfig(configFile);
  const secrets = loginBody(config);
  const earlier = await earlierMemory(config.journalFile);
  const run = earlier?.run ?? `${Date.now().toString(36)}${randomInt(36 ** 3).toString(36)}`;
  const journal = new Journal(config.journalFile);
  const { table, key, value } = config.script;
  journal.append({ type: "start", run, table, key, value, pid: process.pid });

  const tally = newTally();
  const client = new Client(config, secrets, ({ verdict, status, error }) => {
    journal.append({ type: "login", ok: verdict === "ack", status, ...(error === undefined ? {} : { error }) });
    if (verdict === "ack") tally.signIns += 1;
  });
  let seq = earlier?.highestSeq ?? 0;
  let number = earlier === null ? 0 : highestId(earlier);
  const shift: Shift = { config, client, journal, run, stopping, tally, nextSeq: () => ++seq, nextId: () => `W-${run}-${++number}` };

  const known = earlier === null ? [] : ownRows(earlier);
  const shares = Array.from({ length: config.concurrency }, (_, writer) =>
    known.filter((__, index) => index % config.concurrency === writer),
  );
  const sample = (): string | undefined => {
    const share = shares[randomInt(shares.length)] ?? [];
    return share[share.length - 1];
  };
  await Promise.all([...shares.map((rows) => writeAllTheTime(shift, rows)), readAllTheTime(shift, sample)]);

  journal.append({ type: "stop", reason: "told to" });
  journal.close();
  writeFileSync(config.summaryFile, `${JSON.stringify({ run, ...tally, stoppedAt: new Date().toISOString() }, null, 2)}\n`, {
    mode: 0o600,
  });
}
