import { cp, readdir, rm } from "node:fs/promises";
import { join, sep } from "node:path";

// Files that the package needs and the compiler does not emit: Go module files, SQL, the provider's executable, sample releases.
const rooms = (await readdir("dist", { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);

for (const room of rooms) {
  for (const entry of await readdir(room, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(".ts") || entry.parentPath.split(sep).includes("node_modules")) continue;
    const source = join(entry.parentPath, entry.name);
    await cp(source, join("dist", source), { preserveTimestamps: true });
  }
}

// `go build` reads go.mod and go.sum; the package does not need the file that keeps `go mod tidy` stable.
for (const module of ["cli", "host"]) await rm(join("dist", "scripts", "pulumi", "go", module, "tools.go"), { force: true });
