/** What every line of a build's progress begins with: of the plan, the verbs show only these, because its preview they show themselves. */
export const BUILD_LINE = "build ";
