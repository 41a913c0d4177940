/** The API reference: what the package exports, by its doc comments. */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { format } from "prettier";
import ts from "typescript";

interface Entry {
  /** What a program imports, e.g. `backout/systems`. */
  module: string;
  file: string;
}

/** Something with a place in the page. */
interface Named {
  name: string;
  declaration: ts.Declaration;
}

export interface Reference {
  page: string;
  /** Exports, and members of exports, without a doc comment. */
  undocumented: string[];
}

/** @param project folder with package.json; each of its exports that has types is read from its source. */
export async function apiReference(project: string): Promise<Reference> {
  const entries = entriesOf(project);
  // The sources alone: types of packages are neither needed nor loaded, which would take minutes.
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2024,
    noLib: true,
    types: [],
    allowImportingTsExtensions: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  host.resolveModuleNameLiterals = (names, importer) =>
    names.map(({ text }) => ({
      resolvedModule: text.startsWith(".")
        ? { resolvedFileName: resolve(dirname(importer), text), extension: ts.Extension.Ts, isExternalLibraryImport: false }
        : undefined,
    }));
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    options,
    host,
  );
  const checker = program.getTypeChecker();
  const real = (symbol: ts.Symbol): ts.Symbol => ((symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol));
  const seen = new Set<ts.Declaration>();
  const named = (symbols: readonly ts.Symbol[]): Named[] =>
    symbols.flatMap((symbol) => {
      const declaration = real(symbol).declarations?.[0];
      if (declaration === undefined || seen.has(declaration)) return [];
      seen.add(declaration);
      return [{ name: symbol.name, declaration }];
    });

  const sections = entries.map(({ module, file }) => ({
    title: `\`${module}\``,
    about: leading(program.getSourceFile(file)!),
    named: named(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!)),
  }));
  const exported = sections.flatMap((section) => section.named);
  const further: Named[] = [];
  const queue = [...exported];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const found = named(typesIn(next.declaration, checker));
    further.push(...found);
    queue.push(...found);
  }
  further.sort((a, b) => a.name.localeCompare(b.name, "en"));
  sections.push({ title: "Further types", about: "They are part of the types above and are not exported by name.", named: further });

  const text = [
    "# API",
    "What the package exports, made from the doc comments of its sources (`BACKOUT_WRITE_DOCS=1 npx vitest run test/docs`). How to use it: [the program](program.md), [services](services.md), [verification](verification.md). What a stack file may hold: [config](config.md).",
    ...sections.flatMap((section) => [`## ${section.title}`, section.about, ...section.named.map(shown)]),
  ].join("\n\n");
  const undocumented = exported.flatMap(({ name, declaration }) => [
    ...(described(declaration) ? [] : [name]),
    ...membersOf(declaration)
      .filter((member) => !described(member))
      .map((member) => `${name}.${nameOf(member)}`),
  ]);
  return { page: await format(text, { parser: "markdown", printWidth: 140 }), undocumented };
}

function entriesOf(project: string): Entry[] {
  const { name, exports } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [
          {
            module: join(name, path),
            file: join(project, target.types.replace(/^\.\/dist\//, "").replace(/\.d\.ts$/, ".ts")),
          },
        ],
  );
}

/** The comment at the head of a file. */
function leading(file: ts.SourceFile): string {
  const range = ts.getLeadingCommentRanges(file.text, 0)?.[0];
  return range === undefined ? "" : plain(file.text.slice(range.pos, range.end).replace(/^\/\*\*?|\*\/$/g, ""));
}

/** The names of types that a declaration's own types use. */
function typesIn(declaration: ts.Declaration, checker: ts.TypeChecker): ts.Symbol[] {
  const found: ts.Symbol[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || ts.isTypeQueryNode(node)) return;
    const name = ts.isTypeReferenceNode(node) ? node.typeName : ts.isExpressionWithTypeArguments(node) ? node.expression : null;
    const symbol = name === null ? undefined : checker.getSymbolAtLocation(name);
    if (symbol !== undefined && (symbol.flags & ts.SymbolFlags.TypeParameter) === 0) found.push(symbol);
    ts.forEachChild(node, visit);
  };
  // Initial values are no types; private members are nobody's concern.
  if (ts.isClassDeclaration(declaration)) [...membersOf(declaration), ...constructorsOf(declaration)].forEach(visit);
  else visit(declaration);
  return found;
}

function shown({ name, declaration }: Named): string {
  const parts = [`### ${name}`, documented(declaration)];
  const members = membersOf(declaration);
  if (ts.isFunctionDeclaration(declaration)) parts.push(code(signature(declaration)));
  else if (ts.isClassDeclaration(declaration))
    parts.push(...constructorsOf(declaration).flatMap((made) => [code(`new ${name}${signature(made)}`), documented(made)]));
  else if (ts.isInterfaceDeclaration(declaration))
    parts.push(...(declaration.heritageClauses ?? []).map((clause) => `\`${oneLine(clause.getText())}\``));
  else if (ts.isTypeAliasDeclaration(declaration)) parts.push(code(declaration.getText().replace(/^export /, "")));
  else if (ts.isVariableDeclaration(declaration)) parts.push(code(`const ${declaration.getText()};`));
  if (members.length > 0) parts.push(members.map(line).join("\n"));
  return parts.filter((part) => part !== "").join("\n\n");
}

/** Public fields and methods; of a type alias none: its whole text is shown. */
function membersOf(declaration: ts.Declaration): ts.NamedDeclaration[] {
  if (ts.isInterfaceDeclaration(declaration)) return [...declaration.members];
  if (!ts.isClassDeclaration(declaration)) return [];
  return declaration.members.filter(
    (member) =>
      (ts.isPropertyDeclaration(member) || ts.isMethodDeclaration(member)) &&
      (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) === 0 &&
      nameOf(member) !== "__pulumiRunError",
  );
}

function constructorsOf(declaration: ts.ClassDeclaration): ts.ConstructorDeclaration[] {
  return declaration.members.filter(ts.isConstructorDeclaration);
}

const nameOf = (member: ts.NamedDeclaration): string => member.name?.getText() ?? "[…]";

function line(member: ts.NamedDeclaration): string {
  const text = documented(member, " ");
  const shape = oneLine(member.getText())
    .replace(/^(?:declare |readonly |override )+/, "")
    .replace(/;$/, "");
  return `- \`${shape}\`${text === "" ? "" : `: ${text}`}`;
}

/** A function or constructor without its body. */
function signature(declaration: ts.FunctionDeclaration | ts.ConstructorDeclaration): string {
  const text = declaration.getText();
  const end = declaration.body === undefined ? text.length : declaration.body.getStart() - declaration.getStart();
  return `${oneLine(text.slice(0, end))
    .replace(/^export |^constructor/g, "")
    .replace(/^async /, "")};`;
}

const oneLine = (text: string): string =>
  text
    .replaceAll(/\/\*\*.*?\*\//gs, "")
    .replaceAll(/\s+/g, " ")
    .trim();
const code = (text: string): string => `\`\`\`ts\n${text}\n\`\`\``;
/** Lines of a comment, without the stars before each. */
const plain = (text: string): string => text.replaceAll(/^ *\* ?/gm, "").trim();

/** The comment's tags in words, in this order. */
const TAGS: Record<string, (text: string) => string> = {
  param: (text) => text,
  returns: (text) => `Returns ${text}`,
  default: (text) => `Default: ${text}`,
  throws: (text) => `Throws ${text}`,
};

function documented(declaration: ts.Node, between = "\n\n"): string {
  const owner = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const docs = ts.getJSDocCommentsAndTags(owner).filter(ts.isJSDoc).slice(-1);
  const tags = docs.flatMap((doc) => [...(doc.tags ?? [])]);
  const sentences = Object.entries(TAGS).flatMap(([kind, say]) =>
    tags
      .filter((tag) => tag.tagName.text === kind)
      .map((tag) => withStop(say(`${ts.isJSDocParameterTag(tag) ? `\`${tag.name.getText()}\`: ` : ""}${textOf(tag.comment)}`))),
  );
  const examples = tags
    .filter((tag) => tag.tagName.text === "example")
    .map((tag) => (textOf(tag.comment).includes("\n") ? code(textOf(tag.comment)) : `Example: \`${textOf(tag.comment)}\`.`));
  return [withStop(docs.map((doc) => textOf(doc.comment)).join(" ")), sentences.join(" "), ...examples]
    .filter((part) => part !== "")
    .join(between);
}

function textOf(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  const text = typeof comment === "string" ? comment : (ts.getTextOfJSDocComment(comment) ?? "");
  return text.replaceAll(/\{@link (\w+)\}/g, "`$1`").trim();
}

const withStop = (text: string): string => (/[\w)`"’”*]$/.test(text) ? `${text}.` : text);

function described(declaration: ts.Declaration): boolean {
  return documented(declaration) !== "";
}
