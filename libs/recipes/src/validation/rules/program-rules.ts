import type { BaseNames } from '../../catalogue/base-names.js';
import { objects, text, type Draft } from '../draft.js';
import { settlePlace } from '../places.js';
import type { Resolution } from '../resolution.js';
import { reportDuplicates, type Rule, type RuleContext } from './rule.js';

/** A login shell that is not there locks its user out without a word. */
export const shellRules: Rule = (context) => {
  for (const { value, path } of objects(context.draft, 'users')) {
    const shell = text(value, 'shell');
    if (shell !== undefined && !context.names.shells.has(shell)) reportMissing(shell, `${path}/shell`, 'shell', context);
  }
};

export const scriptRules: Rule = (context) => {
  const { draft, findings } = context;
  const scripts = objects(draft, 'startup_scripts');
  reportDuplicates(scripts.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })), (path, name) => findings.error(path, 'duplicate_script', `Two scripts are named ${name}.`));
  for (const { value, path } of scripts) {
    const script = text(value, 'script');
    if (script === undefined) continue;
    const interpreter = interpreterOf(script);
    if (interpreter === undefined) findings.error(`${path}/script`, 'script_without_interpreter', 'The script must begin with its interpreter, such as "#!/bin/sh".');
    else reportMissing(interpreter, `${path}/script`, 'interpreter', context);
  }
};

/** The program of the first line; of `#!/usr/bin/env python3` the one that env looks for. */
function interpreterOf(script: string): string | undefined {
  const [, program, argument] = /^#![ \t]*(\/\S+)(?:[ \t]+(\S+))?/.exec(script) ?? [];
  if (program === undefined) return undefined;
  return /^\/(usr\/)?bin\/env$/.test(program) && argument !== undefined && /^[A-Za-z0-9._+-]+$/.test(argument) ? `/usr/bin/${argument}` : program;
}

function reportMissing(program: string, path: string, what: 'shell' | 'interpreter', { draft, findings, names, resolution }: RuleContext): void {
  const place = settlePlace(program, names.dirLinks);
  if (names.programs.has(place) || resolution === undefined || comesWithRecipe(draft, place, names)) return;
  const bringers = names.programPackages.get(place) ?? [];
  const consequence = what === 'shell' ? 'the user could not log in' : 'the script could not start';
  if (bringers.some((name) => resolution.installed.includes(name))) return;
  if (bringers.length) findings.error(path, `${what}_missing`, `The ${what} ${program} comes with the package ${bringers.join(' or ')}, which this recipe does not install; without it ${consequence}.`, `packages: ${bringers[0]}`);
  else if (bringsPrograms(resolution)) findings.warn(path, `${what}_unknown`, `The ${what} ${program} comes neither with the base nor with a package that is known to bring it; without it ${consequence}.`);
  else findings.error(path, `${what}_missing`, `There is no ${program} in this image; ${consequence}.`);
}

const comesWithRecipe = (draft: Draft, place: string, { dirLinks }: BaseNames) => objects(draft, 'files').some(({ value }) => settlePlace(text(value, 'path') ?? '', dirLinks) === place);
const bringsPrograms = ({ packages }: Resolution) => packages.length > 0;
