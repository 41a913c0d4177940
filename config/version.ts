/** Version of the package: components and provider have to be of the same one. */
export const VERSION = "0.1.0";
