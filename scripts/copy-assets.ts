import { cp, readdir, rm } from "node:fs/promises";
import { join, sep } from "node:path";

// What the compiler does not emit but the package needs beside it: Go module files, SQL, the provider's executable, sample releases.
const rooms = (await readdir("dist", { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);

for (const room of rooms) {
  for (const entry of await readdir(room, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(".ts") || entry.parentPath.split(sep).includes("node_modules")) continue;
    const source = join(entry.parentPath, entry.name);
    await cp(source, join("dist", source), { preserveTimestamps: true });
  }
}

// `go build` reads go.mod and go.sum; the file that keeps `go mod tidy` stable is of no use in the package.
for (const module of ["cli", "host"]) await rm(join("dist", "scripts", "pulumi", "go", module, "tools.go"), { force: true });
