import { AnswerError, request } from "../api.ts";
import { bodyOf } from "../../kit/client.ts";
import { askingCheck, failed, passed } from "../../kit/outcome.ts";
import { session } from "./session.ts";

/** The frontend lists the requests it needs in `version.json`; the running backend has to answer them. */
export const frontendCompatible = askingCheck("frontend-compatible", "The backend answers the frontend's requests", async (context) => {
  const file = await context.fetch(`${context.url("frontend")}/version.json`);
  if (file.status !== 200) throw new AnswerError("GET /version.json", file.status, await file.text());
  const { version, requires } = (await file.json()) as { version?: string; requires?: string[] };
  if (requires === undefined || requires.length === 0) return failed("version.json does not say what the frontend requires");
  const token = await session(context);
  await Promise.all(
    // A small part of each answer is enough.
    requires.map(async (path) => bodyOf(`GET ${path}`, await request(context, token, `${path}&limit=20`))),
  );
  return passed(`backend ${context.releases["backend"] ?? "?"} answers all ${requires.length} requests of frontend ${version ?? "?"}`);
});
