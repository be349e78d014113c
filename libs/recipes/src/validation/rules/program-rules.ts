import type { BaseNames } from '../../catalogue/base-names.js';
import { objects, text, type Draft } from '../draft.js';
import { settlePlace } from '../places.js';
import type { Resolution } from '../resolution.js';
import { reportDuplicates, type Rule, type RuleContext } from './rule.js';

/** A login shell that is not there locks its user out without a word. */
export const shellRules: Rule = (context) => {
  for (const { value, path } of objects(context.draft, 'users')) {
    const shell = text(value, 'shell');
    if (shell !== undefined && !context.names.shells.has(shell))
      reportMissing(shell, `${path}/shell`, 'shell', context);
  }
};

export const scriptRules: Rule = (context) => {
  const { draft, findings } = context;
  const scripts = objects(draft, 'startup_scripts');
  reportDuplicates(
    scripts.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })),
    (path, name) => findings.error(path, 'duplicate_script', `Two scripts are named ${name}.`),
  );
  for (const { value, path } of scripts) {
    const script = text(value, 'script');
    if (script === undefined) continue;
    // Of a first line that is longer than Linux reads nothing more is looked at.
    const line = script.slice(0, longestLine + 1).split('\n', 1)[0] ?? '';
    const [, program, argument = ''] = /^#![ \t]*(\/[^ \t]+)(?:[ \t]+(.*))?$/s.exec(line.replace(/[ \t]+$/, '')) ?? [];
    const wrong =
      program === undefined
        ? undefined
        : line.length > longestLine
          ? `its first line is longer than the ${longestLine} bytes that Linux reads of it.`
          : wrongLine(program, argument);
    const interpreter = program === undefined ? undefined : interpreterOf(program, argument);
    if (interpreter === undefined)
      findings.error(
        `${path}/script`,
        'script_without_interpreter',
        'The script must begin with its interpreter, such as "#!/bin/sh".',
      );
    else if (wrong !== undefined)
      findings.error(`${path}/script`, 'interpreter_line', `The script would not start: ${wrong}`);
    else reportMissing(interpreter, `${path}/script`, 'interpreter', context);
  }
};

/** BINPRM_BUF_SIZE of Linux, without the newline. */
const longestLine = 255;
const isEnv = (program: string) => /^\/(usr\/)?bin\/env$/.test(program);
/** What env -S is told: words, of which those in front may set variables. */
const splitByEnv = (argument: string) =>
  /^(?:-S|--split-string=?)\s*(.*)$/
    .exec(argument)?.[1]
    ?.split(/[ \t]+/)
    .find((word) => !word.includes('='));

/** Linux hands all that follows the interpreter over as one argument (execve(2)). */
function wrongLine(program: string, argument: string): string | undefined {
  if (program.includes('\r') || argument.includes('\r'))
    return 'its first line ends with a carriage return alone; end lines with a newline.';
  if (isEnv(program) && argument.startsWith('-'))
    return splitByEnv(argument)
      ? undefined
      : 'after env stands the name of a program, or -S and a program with its arguments.';
  if (isEnv(program) && /[ \t=]|^$/.test(argument))
    return `env looks for a program named "${argument}", since all that follows is one argument; write "#!/usr/bin/env -S ${argument || 'sh'}".`;
  if (/\/(ba|da|k|z|a)?sh$/.test(program) && /[ \t]/.test(argument))
    return `${program} gets "${argument}" as one argument, which it does not know; write the letters together, or use set in the script.`;
  return undefined;
}

/** The program of the first line; of `#!/usr/bin/env python3` the one that env looks for. */
function interpreterOf(program: string, argument: string): string {
  const sought = isEnv(program) ? (splitByEnv(argument) ?? argument) : '';
  return /^[A-Za-z0-9._+-]+$/.test(sought) ? `/usr/bin/${sought}` : sought.startsWith('/') ? sought : program;
}

function reportMissing(
  program: string,
  path: string,
  what: 'shell' | 'interpreter',
  { draft, findings, names, resolution }: RuleContext,
): void {
  const place = settlePlace(program, names.dirLinks);
  if (names.programs.has(place) || resolution === undefined || comesWithRecipe(draft, place, names)) return;
  const bringers = names.programPackages.get(place) ?? [];
  const consequence = what === 'shell' ? 'the user could not log in' : 'the script could not start';
  if (bringers.some((name) => resolution.installed.includes(name))) return;
  if (bringers.length)
    findings.error(
      path,
      `${what}_missing`,
      `The ${what} ${program} comes with the package ${bringers.join(' or ')}, which this recipe does not install; without it ${consequence}.`,
      `packages: ${bringers[0]}`,
    );
  else if (bringsPrograms(resolution))
    findings.warn(
      path,
      `${what}_unknown`,
      `The ${what} ${program} comes neither with the base nor with a package that is known to bring it; without it ${consequence}.`,
    );
  else findings.error(path, `${what}_missing`, `There is no ${what} ${program} in this image; ${consequence}.`);
}

const comesWithRecipe = (draft: Draft, place: string, { dirLinks }: BaseNames) =>
  objects(draft, 'files').some(({ value }) => settlePlace(text(value, 'path') ?? '', dirLinks) === place);
const bringsPrograms = ({ packages }: Resolution) => packages.length > 0;
