// What a tree of nothing but the base says, and the packages that name things for it.
import {
  copyFileSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { inTree, lines, linesOf, resolveIn, unpack } from './in-tree.mjs';

const [tree, work] = process.argv.slice(2);

/** Interpreters and shells that recipes are likely to name; what a package brings is read from the package. */
const programPackages = [
  'bash-static',
  'bsd-csh',
  'csh',
  'dash',
  'expect',
  'fish',
  'gawk',
  'git',
  'ksh',
  'ksh93u+m',
  'lua5.4',
  'mksh',
  'nodejs',
  'perl',
  'php-cli',
  'php8.2-cli',
  'php8.4-cli',
  'pwsh',
  'python3',
  'python3-minimal',
  'rc',
  'ruby',
  'sash',
  'screen',
  'tcl',
  'tcsh',
  'tmux',
  'yash',
  'zsh',
];

const idsOf = (file) =>
  Object.fromEntries(
    linesOf(path.join(tree, file))
      .map((line) => line.split(':'))
      .map(([name, , id]) => [name, Number(id)]),
  );
const versionOf = (dir) =>
  /^Package: (.*)$/m.exec(readFileSync(path.join(dir, 'DEBIAN/control'), 'utf8'))[1] +
  ' ' +
  /^Version: (.*)$/m.exec(readFileSync(path.join(dir, 'DEBIAN/control'), 'utf8'))[1];

const zoneNames = (dir, at = '') =>
  readdirSync(path.join(dir, at), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(at, entry.name);
    if (['posix', 'right', 'localtime', 'posixrules'].includes(name)) return [];
    const file = path.join(dir, name);
    if (entry.isDirectory()) return zoneNames(dir, name);
    return entry.isSymbolicLink() || readFileSync(file).subarray(0, 4).toString() === 'TZif' ? [name] : [];
  });

function zonesOf(legacy) {
  const dir = path.join(tree, 'usr/share/zoneinfo');
  const zones = zoneNames(dir).sort();
  if (!legacy) return { zones, oldZones: {} };
  const old = path.join(legacy, 'usr/share/zoneinfo');
  const contents = new Map(
    zones
      .filter((name) => lstatSync(path.join(dir, name)).isFile())
      .map((name) => [readFileSync(path.join(dir, name), 'latin1'), name]),
  );
  const today = (name) => {
    const link = lstatSync(path.join(old, name)).isSymbolicLink();
    const target = link
      ? path.posix.relative('/usr/share/zoneinfo', resolveIn(legacy, path.posix.join('/usr/share/zoneinfo', name)))
      : contents.get(readFileSync(path.join(old, name), 'latin1'));
    if (target !== undefined && zones.includes(target)) return target;
    return target !== undefined && existsSync(path.join(old, target)) && target !== name ? today(target) : undefined;
  };
  return {
    zones,
    oldZones: Object.fromEntries(
      zoneNames(old)
        .sort()
        .map((name) => [name, today(name)])
        .filter(([, target]) => target),
    ),
  };
}

function keyboardsOf(dir) {
  const keyboards = {};
  let section = '';
  for (const line of linesOf(path.join(dir, 'usr/share/X11/xkb/rules/base.lst'))) {
    section = /^! (\w+)/.exec(line)?.[1] ?? section;
    const [, name, layout] = /^ {2}(\S+)\s+(?:([^\s:]+):)?/.exec(line) ?? [];
    if (section === 'layout' && name && name !== 'custom') keyboards[name] = [];
    if (section === 'variant' && name && layout) keyboards[layout]?.push(name);
  }
  return keyboards;
}

function programsOf(name) {
  const dir = unpack(tree, work, name);
  if (!dir) return [];
  const files = ['usr/bin', 'bin'].flatMap((bin) =>
    existsSync(path.join(dir, bin)) ? readdirSync(path.join(dir, bin)) : [],
  );
  const script = linesOf(path.join(dir, 'DEBIAN/postinst')).join('\n');
  const alternatives = [...script.matchAll(/--install\s+\/(?:usr\/)?bin\/(\S+)/g)].map(([, program]) => program);
  const names = [...new Set([...files, ...alternatives])].filter((program) => /^[a-z][a-z0-9.+-]*$/.test(program));
  return names.map((program) => [`/usr/bin/${program}`, name]);
}

/** Links to directories: two names of one place. */
function dirLinks(dir = '/') {
  return readdirSync(path.join(tree, dir), { withFileTypes: true }).flatMap((entry) => {
    const place = path.posix.join(dir, entry.name);
    if (/^\/(proc|sys|dev|run|tmp)(\/|$)|^\/usr\/(share|src|lib\/modules)\//.test(place)) return [];
    if (entry.isDirectory()) return dirLinks(place);
    if (!entry.isSymbolicLink()) return [];
    const target = resolveIn(tree, place);
    const isDir =
      target &&
      (['/run', '/run/lock'].includes(target) ||
        statSync(path.join(tree, target), { throwIfNoEntry: false })?.isDirectory());
    return isDir ? [[place, target]] : [];
  });
}

/** systemd-tmpfiles(8) at boot: what it puts into the place of a file that is there. */
const tmpfiles = () =>
  ['usr/lib/tmpfiles.d', 'etc/tmpfiles.d']
    .flatMap((dir) =>
      (existsSync(path.join(tree, dir)) ? readdirSync(path.join(tree, dir)) : []).flatMap((file) =>
        linesOf(path.join(tree, dir, file)),
      ),
    )
    .filter((line) => /^\S*[+DRre=-]\S*\s+\//.test(line) && !line.startsWith('#'))
    .map((line) => line.split(/\s+/).slice(0, 2).join(' '));

// systemd-resolved made it a link to what only a running system has.
rmSync(path.join(tree, 'etc/resolv.conf'), { force: true });
copyFileSync('/etc/resolv.conf', path.join(tree, 'etc/resolv.conf'));
const packages = Object.fromEntries(
  ['tzdata-legacy', 'locales', 'xkb-data'].map((name) => [name, unpack(tree, work, name)]),
);
const byProgram = {};
for (const [place, name] of programPackages.flatMap(programsOf))
  if (!existsSync(path.join(tree, place))) (byProgram[place] ??= []).push(name);
const programs = ['usr/bin', 'usr/sbin']
  .flatMap((dir) => readdirSync(path.join(tree, dir)).map((name) => `/${dir}/${name}`))
  .sort();
writeFileSync(
  path.join(work, 'base.json'),
  JSON.stringify({
    made: [
      ...lines(inTree(tree, 'dpkg-query', '-W', '-f', '${Package} ${Version}\n', 'base-files', 'tzdata')),
      ...Object.values(packages).filter(Boolean).map(versionOf),
    ].join(', '),
    ...zonesOf(packages['tzdata-legacy']),
    locales: Object.fromEntries(
      linesOf(path.join(packages.locales, 'usr/share/i18n/SUPPORTED')).map((line) => line.split(' ')),
    ),
    keyboards: keyboardsOf(packages['xkb-data']),
    users: idsOf('etc/passwd'),
    groups: idsOf('etc/group'),
    shells: linesOf(path.join(tree, 'etc/shells')).filter((line) => line.startsWith('/')),
    programs,
    programPackages: byProgram,
    dirLinks: Object.fromEntries(dirLinks()),
    tmpfiles: [...new Set(tmpfiles())].sort(),
  }),
);
