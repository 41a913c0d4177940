/** Runs before each test file. */
import { afterEach } from "vitest";
import { cleanUp } from "./cleaning.ts";

afterEach(cleanUp);
