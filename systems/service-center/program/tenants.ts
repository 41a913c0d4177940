/** Two tenants, one account each; what a session may see follows from the claims it carries, not from the program. */
import type { Database, Session } from "../../kit/database.ts";
import { HttpError, type Call } from "../../kit/http.ts";
import { userOf, type Account } from "../../kit/login.ts";

const TENANTS: Record<string, string> = { admin: "north", "south-admin": "south" };

export function accounts(passwords: { admin: string; secondTenant: string }): Account[] {
  return [
    { username: "admin", password: passwords.admin },
    { username: "south-admin", password: passwords.secondTenant },
  ];
}

export interface Caller {
  user: string;
  tenant: string;
}

/** @throws HttpError 401, 403 */
export function callerOf(call: Call, jwtSecret: string): Caller {
  const user = userOf(call, jwtSecret);
  const tenant = TENANTS[user];
  if (tenant === undefined) throw new HttpError(403, `${user} belongs to no tenant`);
  return { user, tenant };
}

/** One transaction with the caller's claims: the policies of the database decide what it sees. */
export function asCaller<T>(database: Database, { user, tenant }: Caller, work: (session: Session) => Promise<T>): Promise<T> {
  return database.transaction(async (session) => {
    await session.query("SELECT set_config('request.jwt.claims', $1, true)", [JSON.stringify({ sub: user, tenant_id: tenant })]);
    return work(session);
  });
}
