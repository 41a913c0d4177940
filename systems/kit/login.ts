/** Logging in with a name and password, and the token every other request carries. */
import { HttpError, type Call, type Route } from "./http.ts";
import { sameText, signToken, verifyToken } from "./jwt.ts";

export interface Account {
  username: string;
  password: string;
}

export function loginRoute(path: string, account: Account | readonly Account[], jwtSecret: string): Route {
  const accounts = Array.isArray(account) ? (account as readonly Account[]) : [account as Account];
  return {
    method: "POST",
    path,
    handle: ({ body }) => {
      const { username, password } = body;
      const known =
        typeof username === "string" && typeof password === "string"
          ? accounts.find((one) => sameText(username, one.username) && sameText(password, one.password))
          : undefined;
      if (known === undefined) throw new HttpError(401, "unknown user or wrong password");
      return { json: { token: signToken(known.username, jwtSecret) } };
    },
  };
}

/** Name of the user whose token the request carries. @throws HttpError 401 */
export function userOf(call: Call, jwtSecret: string): string {
  const token = /^Bearer (.+)$/.exec(call.header("authorization") ?? "")?.[1];
  const claims = token === undefined ? null : verifyToken(token, jwtSecret);
  if (claims === null) throw new HttpError(401, "log in first: the request needs `authorization: Bearer <token>`");
  return claims.sub;
}
