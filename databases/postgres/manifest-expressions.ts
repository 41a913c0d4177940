/** Expressions as PostgreSQL shows them, brought to one form. */

/**
 * `x IN ('a', 'b')` of a varchar is shown as `ANY ((ARRAY['a'::character varying, …])::text[])`; parsed anew, as every restore of a dump does, it is
 * shown as `ANY (ARRAY[('a'::character varying)::text, …])`: the parser moves the cast of an array to its elements. Here, too.
 */
export function withCastsInside(text: string): string {
  const opening = "(ARRAY[";
  let result = "";
  let rest = text;
  for (;;) {
    const start = find(rest, opening);
    if (start === null) return result + rest;
    const from = start + opening.length;
    const elements = elementsOf(rest.slice(from));
    const cast = elements && CAST.exec(rest.slice(from + elements.length));
    if (!cast) {
      result += rest.slice(0, from);
      rest = rest.slice(from);
      continue;
    }
    const moved = elements.list.map((element) => `(${withCastsInside(element)})::${cast[1]}`);
    result += `${rest.slice(0, start)}ARRAY[${moved.join(", ")}]`;
    rest = rest.slice(from + elements.length + cast[0].length);
  }
}

/** End of the array, and the type it is cast to. */
const CAST = /^\]\)::((?:"[^"]+"|[\w ."])+(?:\(\d+(?:,\d+)?\)[a-z ]*)?)\[\]/;

/** Where `part` begins outside of quotes. */
function find(text: string, part: string): number | null {
  for (const { at } of outsideQuotes(text)) if (text.startsWith(part, at)) return at;
  return null;
}

/** Elements up to the bracket that closes the array; null where none does. */
function elementsOf(text: string): { list: string[]; length: number } | null {
  const list: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { at, character } of outsideQuotes(text)) {
    if (character === "]" && depth === 0) return { list: [...list, text.slice(from, at)], length: at };
    if (character === "(" || character === "[") depth++;
    else if (character === ")" || character === "]") depth--;
    else if (character === "," && depth === 0) {
      list.push(text.slice(from, at));
      from = at + 2;
    }
  }
  return null;
}

function* outsideQuotes(text: string): Generator<{ at: number; character: string }> {
  let quote: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== null) {
      // A doubled quote closes and opens again.
      if (character === quote) quote = null;
    } else if (character === "'" || character === '"') quote = character;
    else yield { at, character };
  }
}
