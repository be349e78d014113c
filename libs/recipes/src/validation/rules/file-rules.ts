import { objects, text } from '../draft.js';
import { reportDuplicates, type Rule } from './rule.js';

const mostBytes = 1_048_576;
/** The kernel's own file systems, and what is empty again at every boot. */
const volatile = /^\/(proc|sys|dev|run|tmp)(\/|$)/;

export const fileRules: Rule = ({ draft, findings }) => {
  const files = objects(draft, 'files');
  const paths = files.map(({ value, path }) => ({ key: text(value, 'path'), path: `${path}/path` }));
  reportDuplicates(paths, (path, key) => findings.error(path, 'duplicate_file', `The file ${key} is written twice.`));
  const known = new Set(paths.map(({ key }) => key));
  let bytes = 0;
  for (const { value, path } of files) {
    const [target, content, base64] = [text(value, 'path') ?? '', text(value, 'content'), text(value, 'content_base64')];
    if ((content === undefined) === (base64 === undefined)) findings.error(path, 'file_content', 'Give content or content_base64, one of them.');
    bytes += content === undefined ? ((base64?.length ?? 0) * 3) / 4 : Buffer.byteLength(content);
    if (volatile.test(target)) findings.error(`${path}/path`, 'volatile_path', `${target} does not survive a boot; put the file elsewhere, or write it with a startup script.`);
    for (const parent of parents(target)) if (known.has(parent)) findings.error(`${path}/path`, 'file_below_file', `${parent} is a file of this recipe, so nothing can lie below it.`);
  }
  if (bytes > mostBytes) findings.error('/files', 'files_too_large', `The files hold ${Math.ceil(bytes)} bytes together; at most ${mostBytes} are allowed. Put larger things into a package.`);
};

function parents(path: string): string[] {
  const segments = path.split('/').slice(1, -1).slice(0, 64);
  return segments.map((_segment, at) => `/${segments.slice(0, at + 1).join('/')}`);
}

export const scriptRules: Rule = ({ draft, findings }) => {
  const scripts = objects(draft, 'startup_scripts');
  reportDuplicates(scripts.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })), (path, name) => findings.error(path, 'duplicate_script', `Two scripts are named ${name}.`));
  for (const { value, path } of scripts) {
    const script = text(value, 'script');
    if (script !== undefined && !/^#!\s*\//.test(script)) findings.error(`${path}/script`, 'script_without_interpreter', 'The script must begin with its interpreter, such as "#!/bin/sh".');
  }
};
