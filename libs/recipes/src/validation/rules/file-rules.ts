import { objects, text } from '../draft.js';
import { isSystemDir, prefixes, settlePlace, whyLost, whyUnread } from '../places.js';
import { reportDuplicates, type Rule } from './rule.js';

const mostBytes = 1_048_576;

export const fileRules: Rule = ({ draft, findings, names }) => {
  const files = objects(draft, 'files').map(({ value, path }) => ({
    value,
    path,
    target: text(value, 'path') ?? '',
    isDirectory: text(value, 'type') === 'directory',
  }));
  const placed = files.map((file) => ({ ...file, place: settlePlace(file.target, names.dirLinks) }));
  // By where they lie: /bin/x and /usr/bin/x are one file.
  reportDuplicates(
    placed.map(({ place, path, target }) => ({ key: target && place, path: `${path}/path` })),
    (path, key) => findings.error(path, 'duplicate_file', `The file ${key} is written twice.`),
  );
  const plain = new Set(placed.filter(({ isDirectory }) => !isDirectory).map(({ place }) => place));
  let bytes = 0;
  for (const { value, path, target, place, isDirectory } of placed) {
    const [content, base64] = [text(value, 'content'), text(value, 'content_base64')];
    if (isDirectory && (content !== undefined || base64 !== undefined))
      findings.error(
        path,
        'directory_content',
        'A directory has no content; leave content and content_base64 out, and put files into it by entries of their own.',
      );
    if (!isDirectory && target.endsWith('/'))
      findings.error(
        `${path}/path`,
        'directory_path',
        `${target} ends in a slash, as a directory does. For a directory, give "type": "directory" and no content; for a file, its name.`,
        'type: directory',
      );
    else if (!isDirectory && (content === undefined) === (base64 === undefined))
      findings.error(path, 'file_content', 'Give content or content_base64, one of them.');
    bytes += content === undefined ? ((base64?.length ?? 0) * 3) / 4 : Buffer.byteLength(content);
    const lost = whyLost(place);
    const unread = whyUnread(place);
    if (!isDirectory && !target.endsWith('/') && isSystemDir(place))
      findings.error(
        `${path}/path`,
        'directory_of_base',
        `${target} is a directory of the base, and no file can take its place. For its mode and owner, give "type": "directory" and no content; for a file in it, its name.`,
      );
    if (lost !== undefined)
      findings.error(`${path}/path`, 'lost_place', place === target ? lost : `${target} lies at ${place}. ${lost}`);
    if (unread !== undefined)
      findings.warn(`${path}/path`, 'unread_place', `${target} is kept, but nobody reads it: ${unread}.`);
    for (const parent of prefixes(place).slice(0, -1))
      if (plain.has(parent))
        findings.error(
          `${path}/path`,
          'file_below_file',
          `${parent} is a file of this recipe, so nothing can lie below it.`,
        );
  }
  if (bytes > mostBytes)
    findings.error(
      '/files',
      'files_too_large',
      `The files hold ${Math.ceil(bytes)} bytes together; at most ${mostBytes} are allowed. Put larger things into a package.`,
    );
};
