/** What the releases share: settings, and the life of the program. */
import { portSetting, required } from "../../kit/environment.ts";
import { createLog, type Log } from "../../kit/log.ts";
import type { HttpOptions, Route } from "../../kit/http.ts";
import { startService } from "../../kit/service.ts";
import { openSqlite, type SqliteDatabase } from "../../kit/sqlite.ts";
import { doorman, loginRoute, type Doorman } from "./users.ts";

export interface Program {
  release: string;
  log: Log;
  database: SqliteDatabase;
  doorman: Doorman;
}

export interface ProgramParts {
  routes: Route[];
  intercept?: HttpOptions["intercept"];
}

export async function start(release: string, parts: (program: Program) => ProgramParts): Promise<void> {
  const log = createLog("app", release);
  const database = openSqlite(required("DATABASE_URL"));
  const jwtSecret = required("JWT_SECRET");
  const door = doorman(database, jwtSecret);
  const login = loginRoute({ admin: required("ADMIN_PASSWORD"), "test-user": required("TEST_USER_PASSWORD") }, jwtSecret);
  const { routes, intercept } = parts({ release, log, database, doorman: door });
  await startService({
    release,
    port: portSetting(),
    log,
    database: null,
    routes: [login, ...routes],
    ...(intercept === undefined ? {} : { intercept }),
    stop: () => database.end(),
  });
}
