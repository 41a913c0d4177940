/** All that each engine can do, loaded: a test may ask for any of it. */
import type { Server } from "../../../config/site.ts";
import type { Copies, Data, DatabaseEngine, Fence, Inspection } from "../../../databases/engine.ts";
import { inPlace as inPlaceEngine } from "../../../databases/in-place/engine/engine.ts";
import { postgres as postgresEngine } from "../../../databases/postgres/engine/engine.ts";
import { sqlite as sqliteEngine } from "../../../databases/sqlite/engine/engine.ts";

async function whole({ inspect, fence, copies, data }: DatabaseEngine): Promise<Inspection & Fence & Copies & Data> {
  return { ...inspect, ...(await fence()), ...(await copies()), ...(await data()) };
}

export const postgres = await whole(postgresEngine);
export const inPlace = await whole(inPlaceEngine);
export const sqlite = await whole(sqliteEngine);
export type WholeEngine = typeof postgres;

/** The engine of a server's databases. */
export const engineOn = ({ driver }: Server): WholeEngine => (driver === "in-place" ? inPlace : postgres);
