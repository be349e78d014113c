import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import ts from 'typescript';
import { productRoot } from '#libs/platform';

/** Where programs are started, or functions that do so come from; what is given to them first is a program. */
const spawners = ['node:child_process', '#libs/platform'];
const spawnNames = /^(spawn|spawnSync|execFile|execFileSync|runProgram|spawnProgram|askProgram)$/;
/** Node and npm are there before anything of ours; sudo is asked for only where it is there; mkinitramfs is that of the image. */
const notOurs = ['node', 'npm', 'sudo', 'mkinitramfs'];
/** Commands for images. */
const ofImages = 'libs/builds/src/pipeline/configure/';

/** Run by whoever renews the data that it writes, never by the product or its tests; its head says what it needs. */
const byHand = ['scripts/test-keyboards.mjs'];

/**
 * The literal program names of a source: first arguments of what starts programs, what follows `--` or the words before (a spread) in an argument list,
 * constants called so, and the commands of scripts for sh(1).
 */
function programsOf(file: string, takers: Set<string>): string[] {
  const source = parse(file);
  const found: string[] = [];
  const arrays = new Map<string, ts.ArrayLiteralExpression>();
  const started = new Set([...importedSpawners(source, takers), ...takersIn(source)]);
  const literal = (node: ts.Expression | undefined): void => {
    if (!node) return;
    if (ts.isStringLiteralLike(node)) found.push(node.text);
    else if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(literal);
    else if (ts.isArrayLiteralExpression(node)) literal(node.elements[0]);
    else if (ts.isSpreadElement(node)) literal(node.expression);
    else if (ts.isIdentifier(node)) literal(arrays.get(node.text)?.elements[0]);
  };
  /** A program where there is one of this name; arguments that are none, as the name of a user, stand there as well. */
  const behindOthers = (node: ts.Expression | undefined): void => {
    const from = found.length;
    literal(node);
    found.push(...found.splice(from).filter((name) => placeOf(name) !== undefined));
  };
  each(source, (node) => {
    if (ts.isParameter(node) && node.type && takers.has(node.type.getText())) started.add(node.name.getText());
    if (!ts.isVariableDeclaration(node) || !ts.isIdentifier(node.name) || !node.initializer) return;
    if (ts.isArrayLiteralExpression(node.initializer)) arrays.set(node.name.text, node.initializer);
    if (
      ts.isCallExpression(node.initializer) &&
      node.initializer.expression.getText() === 'promisify' &&
      spawnNames.test(node.initializer.arguments[0]?.getText() ?? '')
    )
      started.add(node.name.text);
  });
  each(source, (node) => {
    if (ts.isCallExpression(node) && started.has(nameOf(node.expression))) literal(node.arguments[0]);
    if (ts.isArrayLiteralExpression(node))
      for (const [index, element] of node.elements.entries()) {
        const next = node.elements[index + 1];
        if (ts.isSpreadElement(element)) behindOthers(element);
        if (ts.isSpreadElement(element) || (ts.isStringLiteral(element) && element.text === '--')) behindOthers(next);
        if (ts.isStringLiteral(element) && element.text === '-c' && next && ts.isStringLiteralLike(next))
          found.push(...commandsOf(next.text));
      }
    if (ts.isStringLiteralLike(node) && node.text.includes('exec "$@"')) found.push(...commandsOf(node.text));
    if (
      ts.isVariableDeclaration(node) &&
      /[pP]rogram$/.test(node.name.getText()) &&
      node.initializer &&
      ts.isStringLiteral(node.initializer)
    )
      literal(node.initializer);
  });
  return found
    .map((name) => path.basename(name))
    .filter((name) => /^[a-z][\w.+-]*$/.test(name) && !name.endsWith('.js') && !name.startsWith('no-such-'));
}

/** Words of a script that stand where a command does, and are one here. */
const commandsOf = (text: string) =>
  [...text.matchAll(/(?:^|[;&|(]|\bexec|\bdo|\bthen)\s*([a-z][\w.-]*)/g)]
    .map(([, word]) => word!)
    .filter((word) => placeOf(word) !== undefined);

const parse = (file: string) =>
  ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
    file.endsWith('.ts') ? ts.ScriptKind.TS : ts.ScriptKind.JS,
  );
const nameOf = (node: ts.Expression): string =>
  ts.isIdentifier(node)
    ? node.text
    : ts.isPropertyAccessExpression(node) && node.expression.kind === ts.SyntaxKind.ThisKeyword
      ? node.name.text
      : '';
function each(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => each(child, look));
}

/** What a source imports of those, under its own name for it. */
function importedSpawners(source: ts.SourceFile, takers: Set<string>): string[] {
  const names: string[] = [];
  each(source, (node) => {
    if (
      !ts.isImportDeclaration(node) ||
      !node.importClause?.namedBindings ||
      !ts.isNamedImports(node.importClause.namedBindings)
    )
      return;
    const { text } = node.moduleSpecifier as ts.StringLiteral;
    if (!spawners.includes(text) && !text.startsWith('.')) return;
    for (const { name, propertyName } of node.importClause.namedBindings.elements)
      if (spawnNames.test((propertyName ?? name).text) || takers.has(name.text)) names.push(name.text);
  });
  return names;
}

/** Functions that are given a program to start, as `runOnTree(program, …)`, and the types of such functions. */
function takersIn(source: ts.SourceFile): string[] {
  const names: string[] = [];
  each(source, (node) => {
    if (
      ts.isTypeAliasDeclaration(node) &&
      ts.isFunctionTypeNode(node.type) &&
      node.type.parameters[0]?.name.getText() === 'program'
    )
      names.push(node.name.text);
    const isFunction = ts.isFunctionDeclaration(node) || ts.isArrowFunction(node) || ts.isMethodDeclaration(node);
    if (!isFunction || node.parameters[0]?.name.getText() !== 'program') return;
    const named = !ts.isArrowFunction(node)
      ? node.name
      : ts.isVariableDeclaration(node.parent)
        ? node.parent.name
        : undefined;
    if (named && (ts.isIdentifier(named) || ts.isPrivateIdentifier(named))) names.push(named.text);
  });
  return names;
}

function sourcesIn(dirs: string[], isWanted: (name: string) => boolean): string[] {
  return dirs
    .flatMap((dir) =>
      readdirSync(path.join(productRoot, dir), { recursive: true, encoding: 'utf8' }).map((name) =>
        path.join(dir, name),
      ),
    )
    .filter((name) => /\.(ts|mjs)$/.test(name) && isWanted(name))
    .map((name) => path.join(productRoot, name))
    .filter((file) => signs.test(readFileSync(file, 'utf8')));
}

const placeOf = (program: string) =>
  ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((dir) => path.join(dir, program)).find(existsSync);

/** @returns the package that brings each program here. All are asked for at once: dpkg reads all its lists for each question. */
function packagesOf(programs: string[]): Map<string, string> {
  // On a merged /usr dpkg knows a file by the name that its package gave it; alternatives are links to what it knows.
  const namesOf = (program: string) => {
    const place = placeOf(program);
    return place === undefined
      ? []
      : [place, realpathSync(place)].flatMap((one) => [one, one.replace(/^\/usr/, ''), `/usr${one}`]);
  };
  const { stdout } = spawnSync('dpkg-query', ['-S', ...programs.flatMap(namesOf)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  const owners = new Map(
    stdout
      .split('\n')
      .filter((line) => line && !line.startsWith('diversion '))
      .map((line) => [line.slice(line.indexOf(': ') + 2), line.split(/[:,]/)[0]!]),
  );
  return new Map(
    programs.flatMap((program) =>
      namesOf(program)
        .flatMap((name) => (owners.has(name) ? [[program, owners.get(name)!] as const] : []))
        .slice(0, 1),
    ),
  );
}

const listed = (file: string) =>
  readFileSync(path.join(productRoot, file), 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/)[0])
    .filter(Boolean);
/** There on every Debian, whatever is installed (Debian Policy, 3.8). */
const essential = execFileSync('dpkg-query', ['-W', '-f', '${Package} ${Essential}\\n'], { encoding: 'utf8' })
  .split('\n')
  .filter((line) => line.endsWith(' yes'))
  .map((line) => line.split(' ')[0]);

/** What a source that starts programs has somewhere; parsing all others takes a minute. */
const signs = /spawn|execFile|runProgram|askProgram|[pP]rogram|'--'/;
const isTest = (name: string) => name.endsWith('.spec.ts') || name.includes('/testing/');
const product = sourcesIn(
  ['apps', 'libs', 'scripts'],
  (name) => !isTest(name) && !name.startsWith(ofImages) && !byHand.includes(name),
);
const takers = new Set(product.flatMap((file) => takersIn(parse(file))));
const tests = [...sourcesIn(['apps', 'libs'], isTest), ...sourcesIn(['test'], () => true)];

it.each([
  ['debian-packages.txt', product, ['debian-packages.txt']],
  ['test/debian-packages.txt or debian-packages.txt', tests, ['debian-packages.txt', 'test/debian-packages.txt']],
])(
  'what is started stands in %s',
  (_name, files, lists) => {
    const packages = new Set([...lists.flatMap(listed), ...essential]);
    const programs = new Map<string, string>();
    for (const file of files)
      for (const program of programsOf(file, takers)) programs.set(program, path.relative(productRoot, file));
    if (lists.length === 1)
      expect([...programs.keys()]).toEqual(
        expect.arrayContaining([
          'bwrap',
          'grub-mkimage',
          'mkfs.ext4',
          'mmdebstrap',
          'mount',
          'nft',
          'setpriv',
          'slirp4netns',
          'unshare',
          'qemu-img',
          'qemu-system-x86_64',
          'xorriso',
        ]),
      );
    const names = [...programs.keys()].filter((program) => !notOurs.includes(program));
    const owners = packagesOf(names);
    const missing = names.filter((program) => !packages.has(owners.get(program) ?? ''));
    expect(
      missing.map((program) => ({ program, startedBy: programs.get(program), package: owners.get(program) })),
    ).toEqual([]);
  },
  120_000,
);
