/** The time by which a watch goes. The wall's, unless a rehearsal makes it run faster. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Clock {
  /** Milliseconds, as `Date.now()`. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Seconds of this clock per second on the wall. */
  speed: number;
}

/** `BACKOUT_CLOCK_SPEED` holds no speed. */
export class ClockSpeedError extends Error {
  readonly given: string;
  constructor(given: string) {
    super(`BACKOUT_CLOCK_SPEED "${given}" must be a number from 1 to 1000000; leave it unset for the real time`);
    this.name = "ClockSpeedError";
    this.given = given;
  }
}

/** @throws ClockSpeedError */
export function clockSpeed(environment: NodeJS.ProcessEnv = process.env): number {
  const given = environment["BACKOUT_CLOCK_SPEED"];
  if (given === undefined || given === "") return 1;
  const speed = Number(given);
  if (!(speed >= 1 && speed <= 1_000_000)) throw new ClockSpeedError(given);
  return speed;
}

/** @param since wall time at which this clock and the wall's showed the same, so that one that is made again later goes on with the first. */
export function clockSince(since: number, speed: number, wall: () => number = Date.now): Clock {
  return {
    speed,
    now: () => since + (wall() - since) * speed,
    sleep: async (ms) => void (ms > 0 && (await sleep(ms / speed))),
  };
}
