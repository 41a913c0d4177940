/** All users except superusers and the emergency administrator are read-only while users are kept out. */
import type { ProtectionDefinition } from "../../config/system/protection.ts";

export const PERMISSIONS = "user-permissions";

/** The restriction spares the emergency administrator; its reversal changes only rows with a saved original. */
const RESTRICTED = "role <> 'superuser' AND role <> 'emergency_admin'";

export const protections: ProtectionDefinition[] = [
  {
    id: PERMISSIONS,
    title: "user_permissions are read_only except for superusers and emergency_admin",
    database: "production",
    requiresTable: "user_permissions",
    readSql: `SELECT id AS key, access_level AS value FROM user_permissions WHERE ${RESTRICTED} ORDER BY id`,
    // With only the file, a person can restore everything from the column beside it.
    restrictSql: `UPDATE user_permissions SET original_access_level = coalesce(original_access_level, access_level), access_level = 'read_only'
      WHERE ${RESTRICTED} AND (access_level <> 'read_only' OR original_access_level IS NULL)`,
    giveBackSql:
      "UPDATE user_permissions SET access_level = $2, original_access_level = NULL WHERE id = $1 AND access_level = 'read_only' AND original_access_level IS NOT NULL",
  },
];
