import { AnswerError, request } from "../api.ts";
import { bodyOf } from "../../kit/client.ts";
import { askingCheck, failed, passed } from "../../kit/outcome.ts";
import { session } from "./session.ts";

/** The frontend says in `version.json` what it cannot do without; the backend that runs has to answer it. */
export const frontendCompatible = askingCheck("frontend-compatible", "The backend answers what the frontend asks", async (context) => {
  const file = await context.fetch(`${context.url("frontend")}/version.json`);
  if (file.status !== 200) throw new AnswerError("GET /version.json", file.status, await file.text());
  const { version, requires } = (await file.json()) as { version?: string; requires?: string[] };
  if (requires === undefined || requires.length === 0) return failed("version.json does not say what the frontend requires");
  const token = await session(context);
  await Promise.all(
    // Whether it is answered, not all of it.
    requires.map(async (path) => bodyOf(`GET ${path}`, await request(context, token, `${path}&limit=20`))),
  );
  return passed(`backend ${context.releases["backend"] ?? "?"} answers all ${requires.length} requests of frontend ${version ?? "?"}`);
});
