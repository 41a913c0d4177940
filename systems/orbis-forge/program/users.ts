/** Who may do what, by `user_permissions`: asked at every request, so that a restriction counts at once. */
import { HttpError, type Call, type Route } from "../../kit/http.ts";
import { sameText, signToken } from "../../kit/jwt.ts";
import { userOf } from "../../kit/login.ts";
import type { SqliteDatabase } from "../../kit/sqlite.ts";

export interface User {
  userId: string;
  role: string;
  accessLevel: string;
}

export const ADMIN_ROLES = ["superuser", "emergency_admin"];

/** Passwords by user. */
export type Passwords = Record<string, string>;

export function loginRoute(passwords: Passwords, jwtSecret: string): Route {
  return {
    method: "POST",
    path: "/api/auth/login",
    handle: ({ body: { username, password } }) => {
      const expected = typeof username === "string" && Object.hasOwn(passwords, username) ? passwords[username] : undefined;
      if (expected === undefined || typeof password !== "string" || !sameText(password, expected))
        throw new HttpError(401, "unknown user or wrong password");
      return { json: { token: signToken(username as string, jwtSecret) } };
    },
  };
}

export async function userNamed(database: SqliteDatabase, userId: string): Promise<User> {
  const [user] = await database.read<{ user_id: string; role: string; access_level: string }>(
    "SELECT user_id, role, access_level FROM user_permissions WHERE user_id = $1",
    [userId],
  );
  if (user === undefined) throw new HttpError(403, `${userId} has no permissions here`);
  return { userId: user.user_id, role: user.role, accessLevel: user.access_level };
}

export interface Doorman {
  reader(call: Call): Promise<User>;
  writer(call: Call): Promise<User>;
  admin(call: Call): Promise<User>;
}

export function doorman(database: SqliteDatabase, jwtSecret: string): Doorman {
  const reader = (call: Call): Promise<User> => userNamed(database, userOf(call, jwtSecret));
  return {
    reader,
    writer: async (call) => {
      const user = await reader(call);
      if (user.accessLevel === "read_only") throw new HttpError(403, `${user.userId} may only read`);
      return user;
    },
    admin: async (call) => {
      const user = await reader(call);
      if (!ADMIN_ROLES.includes(user.role)) throw new HttpError(403, `${user.userId} is no administrator`);
      return user;
    },
  };
}
