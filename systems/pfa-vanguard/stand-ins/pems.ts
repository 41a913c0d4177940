/**
 * A stand-in for the PEMS API. `POST /api/pfa` records what it is sent in `FOLDER/pems.jsonl`, once per idempotency key.
 * `POST /__control {failAuth, conflict}` makes it refuse; `GET /received` counts.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { optional, portSetting, required } from "../../kit/environment.ts";
import { HttpError } from "../../kit/http.ts";
import { createLog } from "../../kit/log.ts";
import { sameText } from "../../kit/jwt.ts";
import { startService } from "../../kit/service.ts";

const log = createLog("pems-stand-in", "1");
const folder = required("FOLDER");
const record = join(folder, "pems.jsonl");
const token = optional("PEMS_TOKEN");
mkdirSync(folder, { recursive: true });
const known = new Map<string, number>();
if (existsSync(record))
  for (const line of readFileSync(record, "utf8").split("\n").filter(Boolean)) {
    const { key, version } = JSON.parse(line) as { key: string; version: number };
    known.set(key, version);
  }
let refuse: { failAuth?: boolean; conflict?: boolean } = {};

await startService({
  release: "1",
  port: portSetting(),
  log,
  database: null,
  routes: [
    {
      method: "POST",
      path: "/api/pfa",
      handle: (call) => {
        const { failAuth, conflict } = refuse;
        const given = /^Bearer (.+)$/.exec(call.header("authorization") ?? "")?.[1] ?? "";
        if (failAuth === true || (token !== null && !sameText(given, token))) throw new HttpError(401, "unknown token");
        if (conflict === true) return { status: 409, json: { version: 99 } };
        const key = call.header("idempotency-key") ?? "";
        const version = known.get(key) ?? known.size + 1;
        if (!known.has(key)) {
          known.set(key, version);
          appendFileSync(record, `${JSON.stringify({ at: new Date().toISOString(), key, version, ...call.body })}\n`);
        }
        return { json: { version } };
      },
    },
    { method: "GET", path: "/received", handle: () => ({ json: { received: known.size } }) },
    {
      method: "POST",
      path: "/__control",
      handle: ({ body }) => {
        refuse = body;
        return { json: refuse };
      },
    },
  ],
});
