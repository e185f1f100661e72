// What the declarations of the package contain, and what is documented.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const declarations = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.d.ts'))
  .map((file) => readFileSync(path.join('dist', file), 'utf8'));

/** The declarations of classes, by their names. */
const classes = new Map(
  declarations
    .flatMap((text) => [...text.matchAll(/^export declare (?:abstract )?class (\w+)[^]*?^\}$/gm)])
    .map(([text, name]) => [name!, text]),
);

/** The classes that index.d.ts exports, and the classes that these extend. */
function publicClasses(): Map<string, string> {
  const exported = readdirSync('dist/shm/parts').flatMap((file) => [
    ...readFileSync(path.join('dist/shm/parts', file), 'utf8').matchAll(/\b[A-Z]\w+\b/g),
  ]);
  const found = new Map<string, string>();
  const add = (name: string): void => {
    const text = classes.get(name);
    if (text === undefined || found.has(name)) return;
    found.set(name, text);
    for (const [, parent] of text.matchAll(/ extends (\w+)/g)) add(parent!);
  };
  for (const [name] of exported) add(name);
  return found;
}

describe('the declarations of classes', () => {
  it('are all there', () => {
    expect([...publicClasses().keys()]).toEqual(
      expect.arrayContaining(['SharedDict', 'Manager', 'NamedObject', 'Lock', 'QueueItem']),
    );
  });

  it('have nothing in them that is not for their users', () => {
    for (const [name, text] of publicClasses()) {
      const code = text.replaceAll(/\/\*\*[^]*?\*\//g, '');
      expect([
        name,
        code.match(/\b(protected|\w*State|Attachment|LockSeat|Request|Word)\b/g),
      ]).toEqual([name, null]);
    }
  });
});

describe('ErrorCode', () => {
  it('has all codes that docs/errors.md explains, and those that the library throws', () => {
    const [union = ''] =
      /export type ErrorCode =[^]*?;/.exec(readFileSync('lib/common/errors.ts', 'utf8')) ?? [];
    const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code!).sort();
    const headings = readFileSync('docs/errors.md', 'utf8').matchAll(/^## (.+)$/gm);
    const documented = [...headings].flatMap(([, heading]) => heading!.split(', ')).sort();
    expect(codes).toEqual(documented);
    const explained = readFileSync('lib/shm/core/failures.ts', 'utf8').matchAll(/case '(\w+)':/g);
    expect(codes).toEqual(expect.arrayContaining([...explained].map(([, code]) => code)));
    // The codes that the native floors can return.
    const result = readFileSync('native/os/result.h', 'utf8');
    const named = result.matchAll(/^ +(?:SHMKIT_NAME\(|return ")(\w+)/gm);
    const native = [...named].map(([, code]) => code);
    expect(native).toEqual(expect.arrayContaining(['EROFS', 'EUNKNOWN']));
    expect(codes).toEqual(expect.arrayContaining(native));
  });
});

describe('the types of the package', () => {
  it('name no type that is not exported, in what their users see', () => {
    const entry = path.resolve('dist/index.d.ts');
    const program = ts.createProgram([entry], { types: [], lib: ['lib.es2022.d.ts'] });
    const checker = program.getTypeChecker();
    const index = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
    const resolved = (symbol: ts.Symbol) =>
      symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    // Includes the exports of a namespace of types.
    const exportsOf = (module: ts.Symbol): ts.Symbol[] =>
      checker
        .getExportsOfModule(module)
        .map(resolved)
        .flatMap((each) =>
          each.flags & ts.SymbolFlags.ValueModule ? [each, ...exportsOf(each)] : each,
        );
    const exported = new Set(exportsOf(index));
    // Names that only appear as parts of `Attached`, and names that every project has.
    const known = ['AbortSignal', 'AttachedTo', 'HandleOf', 'Kinds'];
    const hidden = new Set<string>();
    const seen = new Set<ts.Node>();
    const ours = path.resolve('dist').replaceAll('\\', '/');
    const isOurs = (node: ts.Node) => node.getSourceFile().fileName.startsWith(ours);
    const symbolOf = (name: ts.Node | undefined) => {
      const symbol = name && checker.getSymbolAtLocation(name);
      return symbol && resolved(symbol);
    };
    const visit = (node: ts.Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (ts.isHeritageClause(node)) {
        // Members that a class inherits are visible in it, but the name of the base class is not.
        for (const type of node.types) {
          symbolOf(type.expression)?.declarations?.filter(isOurs).forEach(visit);
          type.typeArguments?.forEach(visit);
        }
        return;
      }
      const type = symbolOf(ts.isTypeReferenceNode(node) ? node.typeName : undefined);
      if (type?.declarations?.some(isOurs) && !(type.flags & ts.SymbolFlags.TypeParameter)) {
        if (!exported.has(type)) hidden.add(type.name);
      }
      ts.forEachChild(node, visit);
    };
    for (const symbol of exported) symbol.declarations?.forEach(visit);
    expect([...hidden].sort()).toEqual(known);
  });
});
