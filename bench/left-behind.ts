/** What a benchmark made and has to remove, also on Ctrl-C. */
const pending = new Set<() => Promise<void>>();

/** Registers a removal. The function returned removes at once; the removal runs only once. */
export function leftBehind(remove: () => Promise<void>): () => Promise<void> {
  let removing: Promise<void> | undefined;
  const once = (): Promise<void> => (removing ??= remove().finally(() => pending.delete(once)));
  if (pending.size === 0 && !listening) listen();
  pending.add(once);
  return once;
}

let listening = false;

function listen(): void {
  listening = true;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      process.stderr.write("removing what was made\n");
      void removeAll().then(() => process.exit(130));
    });
}

/** The last one made first. */
async function removeAll(): Promise<void> {
  for (const remove of [...pending].reverse()) await remove().catch((error: Error) => process.stderr.write(`${error.message}\n`));
}
