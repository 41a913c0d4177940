/** Serves a published folder, looked up for each request, so a changed link takes effect at once. */
import { realpathSync } from "node:fs";
import sirv from "sirv";
import { jsonAnswer, send } from "./answers.ts";
import type { Destination } from "./listener.ts";

/** @param root folder, or a link to it. One request is answered from one version, also while the link changes. */
export function serveFolder(service: string, root: string): Destination {
  let served: { folder: string; handler: ReturnType<typeof sirv> } | null = null;
  return {
    handle(request, response) {
      if (request.method !== "GET" && request.method !== "HEAD") {
        return send(request, response, jsonAnswer(405, { error: "method not allowed" }));
      }
      let folder: string;
      try {
        folder = realpathSync(root);
      } catch {
        return send(request, response, jsonAnswer(502, { error: "unavailable", message: `${service} is not published` }));
      }
      // `dev` reads the files for each request and makes browsers revalidate each time (`no-cache` with a tag).
      if (served?.folder !== folder) served = { folder, handler: sirv(folder, { dev: true, etag: true }) };
      if (isHidden(request.url ?? "/")) return send(request, response, jsonAnswer(404, { error: "not found" }));
      served.handler(request, response, () => send(request, response, jsonAnswer(404, { error: "not found" })));
    },
  };
}

/** Files whose name begins with a dot are not served, except those in the standard folder `.well-known`. */
function isHidden(url: string): boolean {
  let path = url.split("?", 1)[0] ?? "/";
  try {
    path = decodeURIComponent(path);
  } catch {
    return true;
  }
  return /(^|[/\\])\.(?!well-known(\/|$))/.test(path) || path.includes("\0");
}
