/** A client that writes all the time by SQL and notices how long nothing it wrote was acknowledged. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { qualified } from "../databases/shared/identifiers.ts";

/** Pause between two writes, and before a failed one is tried again, milliseconds: the resolution of what is measured. */
const RHYTHM_MS = 2;
const PATIENCE_MS = 30_000;

/** The writer was never acknowledged again: what it measured has no end. */
export class NeverBackError extends Error {
  readonly lastFailure: string;
  constructor(lastFailure: string) {
    super(`no write was acknowledged for ${PATIENCE_MS / 1000} s: ${lastFailure}`);
    this.name = "NeverBackError";
    this.lastFailure = lastFailure;
  }
}

export class SqlWriter {
  readonly #connectionString: string;
  readonly #statement: string;
  readonly #done: Promise<void>;
  #stopping = false;
  #acknowledged = 0;
  #lastAck = 0;
  #longestMs = 0;
  #lastFailure = "";

  /** @param table has one column `at`, a time. */
  constructor(connectionString: string, table: string) {
    this.#connectionString = connectionString;
    this.#statement = `INSERT INTO ${qualified(table)} (at) VALUES (clock_timestamp())`;
    this.#done = this.#write();
  }

  /** Seconds from the last acknowledged write before to the first after the longest interruption while `work` ran. */
  async pauseDuring(work: () => Promise<void>): Promise<number> {
    await this.#nextAck();
    this.#longestMs = 0;
    await work();
    await this.#nextAck();
    return this.#longestMs / 1000;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** The second one from now: the first may have been under way. */
  async #nextAck(): Promise<void> {
    const goal = this.#acknowledged + 2;
    const giveUpAt = Date.now() + PATIENCE_MS;
    while (this.#acknowledged < goal) {
      if (Date.now() > giveUpAt) throw new NeverBackError(this.#lastFailure);
      await sleep(RHYTHM_MS);
    }
  }

  async #write(): Promise<void> {
    while (!this.#stopping) {
      const client = new pg.Client({ connectionString: this.#connectionString, connectionTimeoutMillis: 1_000, query_timeout: 1_000 });
      // Without a listener an ended session crashes the process.
      client.on("error", () => undefined);
      try {
        await client.connect();
        while (!this.#stopping) {
          await client.query(this.#statement);
          this.#acknowledge();
          await sleep(RHYTHM_MS);
        }
      } catch (error) {
        this.#lastFailure = (error as Error).message;
        await sleep(RHYTHM_MS);
      } finally {
        client.end().catch(() => undefined);
      }
    }
  }

  #acknowledge(): void {
    const now = performance.now();
    if (this.#acknowledged > 0) this.#longestMs = Math.max(this.#longestMs, now - this.#lastAck);
    this.#lastAck = now;
    this.#acknowledged++;
  }
}
