/** Version of the package: program and provider have to be of the same one. */
export const VERSION = "0.1.0";
