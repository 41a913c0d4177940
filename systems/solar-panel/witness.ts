/** How a client that remembers every acknowledged write works at the line: it begins panels, passes them on and takes them off again. */
import type { WitnessScript } from "../../config/system/drill.ts";
import { OPERATOR, OPERATOR_SECRET } from "./api.ts";

export const witness: WitnessScript = {
  service: "line",
  login: {
    method: "POST",
    path: "/api/auth/login",
    body: { username: OPERATOR, password: `{{secret:${OPERATOR_SECRET}}}` },
    tokenField: "token",
  },
  insert: { method: "POST", path: "/api/panels", body: { serialNumber: "{{id}}", panelType: "144", line: "LINE_2", notes: "{{value}}" } },
  update: { method: "PUT", path: "/api/panels/{{id}}", body: { notes: "{{value}}" } },
  delete: { method: "DELETE", path: "/api/panels/{{id}}" },
  table: "panels",
  key: "serial_number",
  value: "notes",
};
