/** How the witness of a drill writes to this system. */
import type { WitnessScript } from "../../config/system/drill.ts";
import { ORGANIZATION, TEST_USER } from "./api.ts";

export const witness: WitnessScript = {
  service: "backend",
  login: {
    method: "POST",
    path: "/api/auth/login",
    body: { username: TEST_USER, password: "{{secret:test-user-password}}" },
    tokenField: "token",
  },
  insert: {
    method: "POST",
    path: "/api/pfa-data",
    body: { organizationId: ORGANIZATION, pfaId: "{{id}}", category: "Equipment", description: "{{value}}" },
  },
  update: { method: "PUT", path: "/api/pfa-data/{{id}}", body: { description: "{{value}}" } },
  delete: { method: "DELETE", path: "/api/pfa-data/{{id}}" },
  table: "pfa_records",
  key: "pfa_id",
  value: "description",
};
