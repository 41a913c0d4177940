/** Everybody but superusers and the emergency administrator reads only, for as long as users are kept out. */
import type { ProtectionDefinition } from "../../config/system/protection.ts";

export const PERMISSIONS = "user-permissions";

/** Restricting leaves the emergency administrator alone; giving back touches only rows whose original is written down. */
const RESTRICTED = "role <> 'superuser' AND role <> 'emergency_admin'";

export const protections: ProtectionDefinition[] = [
  {
    id: PERMISSIONS,
    title: "user_permissions are read_only but for superusers and emergency_admin",
    database: "production",
    requiresTable: "user_permissions",
    readSql: `SELECT id AS key, access_level AS value FROM user_permissions WHERE ${RESTRICTED} ORDER BY id`,
    // A person who finds the file alone can give everything back from the column beside it.
    restrictSql: `UPDATE user_permissions SET original_access_level = coalesce(original_access_level, access_level), access_level = 'read_only'
      WHERE ${RESTRICTED} AND (access_level <> 'read_only' OR original_access_level IS NULL)`,
    giveBackSql:
      "UPDATE user_permissions SET access_level = $2, original_access_level = NULL WHERE id = $1 AND access_level = 'read_only' AND original_access_level IS NOT NULL",
  },
];
