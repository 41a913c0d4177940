/** The texts of a source file: strings and the fixed parts of templates, each with its line. */
import { readFileSync } from "node:fs";
import ts from "typescript";

export interface Literal {
  line: number;
  text: string;
}

export function literals(path: string): Literal[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, false);
  const found: Literal[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push({ line: source.getLineAndCharacterOfPosition(node.pos).line + 1, text: node.text });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
