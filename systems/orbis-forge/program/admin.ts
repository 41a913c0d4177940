/** The administrators' page and what it asks for. What a release can do stands on it by name. */
import type { Route } from "../../kit/http.ts";
import type { SqliteDatabase } from "../../kit/sqlite.ts";
import type { Doorman } from "./users.ts";

export interface Page {
  release: string;
  /** What this release offers, by the words users see. */
  features: string[];
}

export function adminRoutes(database: SqliteDatabase, doorman: Doorman, page: Page): Route[] {
  return [
    { method: "GET", path: "/", handle: () => ({ text: html(page), type: "text/html; charset=utf-8" }) },
    { method: "GET", path: "/api/features", handle: () => ({ json: { features: page.features } }) },
    {
      method: "GET",
      path: "/api/admin/users",
      handle: async (call) => {
        await doorman.admin(call);
        return { json: { rows: await database.read("SELECT user_id, role, access_level FROM user_permissions ORDER BY id") } };
      },
    },
    {
      method: "GET",
      path: "/health/db",
      handle: async () => {
        await database.read("SELECT 1 AS one");
        return { json: { status: "healthy" } };
      },
    },
  ];
}

function html({ release, features }: Page): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="version" content="${release}"><title>OrbisForge administration</title></head>
<body>
<h1>OrbisForge administration</h1>
<p>Version ${release}</p>
<ul>
${features.map((feature) => `<li>${feature}</li>`).join("\n")}
</ul>
</body>
</html>
`;
}
