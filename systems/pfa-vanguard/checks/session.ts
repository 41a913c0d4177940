import type { CheckContext } from "../../../config/system/check.ts";
import { login } from "../api.ts";

const tokens = new WeakMap<CheckContext, Promise<string>>();

/** The token of the test account: logged in once for all checks of a run. @throws AnswerError */
export function session(context: CheckContext): Promise<string> {
  const token = tokens.get(context) ?? login(context);
  tokens.set(context, token);
  return token;
}
