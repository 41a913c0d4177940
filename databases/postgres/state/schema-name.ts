/** Where backout keeps its record when there can be no second database: a schema of its own in the live one, left out of every dump and comparison. */
export const STATE_SCHEMA = "backout_state";
