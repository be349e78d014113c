import type { RecipeDto, RecipeFile } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

/** @param at JSON Pointer of the list in the recipe; none for files that the recipe does not say itself */
export function renderFiles(plan: ImagePlan, files: readonly RecipeFile[], at?: string): void {
  files.forEach(({ type, path, content, content_base64, mode, owner, group }, index) => {
    const common = { mode, owner, group, ...(at !== undefined && { from: `${at}/${index}` }) };
    if (type === 'directory') plan.directory({ directory: path, ...common });
    else plan.file({ path, content: content ?? Buffer.from(content_base64 ?? '', 'base64'), ...common });
  });
}

/** What validation could not know, since only now all packages and files are there. */
export function renderChecks(plan: ImagePlan, { users, startup_scripts }: RecipeDto): void {
  const isThere = (program: string, from: string, consequence: string) =>
    plan.run(['test', '-x', program], { from, failure: `${program} is not in the image, so ${consequence}.` });
  users.forEach(({ shell }, index) => isThere(shell, `/users/${index}/shell`, 'the user could not log in'));
  startup_scripts.forEach(({ script }, index) => {
    const [, interpreter] = /^#![ \t]*(\/\S+)/.exec(script) ?? [];
    if (interpreter !== undefined)
      isThere(interpreter, `/startup_scripts/${index}/script`, 'the script could not start');
  });
}
