/** How the witness of a drill writes to this system. */
import type { WitnessScript } from "../../config/system/drill.ts";
import { API, PERSONNEL_PATH, TEST_USER } from "./api.ts";

export const witness: WitnessScript = {
  service: API,
  login: {
    method: "POST",
    path: "/api/auth/login",
    body: { username: TEST_USER, password: "{{secret:test-user-password}}" },
    tokenField: "token",
  },
  insert: { method: "POST", path: PERSONNEL_PATH, body: { employeeNumber: "{{id}}", fullName: "{{value}}" } },
  update: { method: "PUT", path: `${PERSONNEL_PATH}/{{id}}`, body: { fullName: "{{value}}" } },
  delete: { method: "DELETE", path: `${PERSONNEL_PATH}/{{id}}` },
  table: "radiation_personnel",
  key: "employee_number",
  value: "full_name",
};
