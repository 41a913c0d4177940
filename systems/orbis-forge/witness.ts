/** How the witness of a drill writes to this system. */
import type { WitnessScript } from "../../config/system/drill.ts";
import { TEST_USER } from "./api.ts";

export const witness: WitnessScript = {
  service: "app",
  login: {
    method: "POST",
    path: "/api/auth/login",
    body: { username: TEST_USER, password: "{{secret:test-user-password}}" },
    tokenField: "token",
  },
  insert: { method: "POST", path: "/api/projects", body: { code: "{{id}}", name: "{{value}}" } },
  update: { method: "PUT", path: "/api/projects/{{id}}", body: { name: "{{value}}" } },
  delete: { method: "DELETE", path: "/api/projects/{{id}}" },
  table: "projects",
  key: "code",
  value: "name",
};
