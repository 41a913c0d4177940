import { login as logIn, TEST_USER } from "../api.ts";
import { askingCheck, passed } from "../../kit/outcome.ts";

export const login = askingCheck("login", "2 Login answers with a token", async (context) => {
  await logIn(context);
  return passed(`${TEST_USER} was given a token`);
});
