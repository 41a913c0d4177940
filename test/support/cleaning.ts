/**
 * What helpers of tests make and the end of a test must not leave behind. Files that run without isolation share the helpers' modules, whose own
 * `afterEach` would only be heard by the first of them.
 */
const works: (() => unknown)[] = [];

/** Done when the test ends, the latest first. */
export function atTestEnd(work: () => unknown): void {
  works.push(work);
}

export async function cleanUp(): Promise<void> {
  for (const work of works.splice(0).reverse()) await work();
}
