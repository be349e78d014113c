import { isObject } from '../normalise/json-values.js';
import { objects, text, type Draft, type Placed } from './draft.js';
import type { Findings } from './findings.js';

/**
 * Scripts as the kernel can start them: a byte-order mark or a carriage return in the first line hides the interpreter, and later ones end up
 * in words of the script. Both are taken out of startup scripts and of files that begin with "#!", and that is said; other files stay as they are.
 */
export function settleScripts(draft: Draft, findings: Findings): Draft {
  const settled = { ...draft };
  if (Array.isArray(draft.startup_scripts))
    settled.startup_scripts = replaced(draft, 'startup_scripts', (entry) =>
      settleText(entry, 'script', () => true, findings),
    );
  if (Array.isArray(draft.files)) {
    settled.files = replaced(draft, 'files', (entry) => {
      if (text(entry.value, 'content_base64') !== undefined) return settleBase64(entry, findings);
      return settleText(entry, 'content', (content) => /^\uFEFF?#!/.test(content), findings);
    });
  }
  return settled;
}

function replaced(draft: Draft, key: string, settle: (entry: Placed<Draft>) => Draft): unknown[] {
  const list = draft[key] as unknown[];
  const settled = new Map(objects(draft, key).map((entry) => [entry.value, settle(entry)]));
  return list.map((item) => (isObject(item) ? (settled.get(item) ?? item) : item));
}

function settleText(
  { value, path }: Placed<Draft>,
  key: string,
  isScript: (content: string) => boolean,
  findings: Findings,
): Draft {
  const content = text(value, key);
  if (content === undefined || !isScript(content)) return value;
  const plain = content.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n');
  if (plain === content) return value;
  tell(`${path}/${key}`, findings);
  return { ...value, [key]: plain };
}

function settleBase64({ value, path }: Placed<Draft>, findings: Findings): Draft {
  const bytes = Buffer.from(text(value, 'content_base64') ?? '', 'base64');
  const start = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  if (bytes.subarray(start, start + 2).toString() !== '#!') return value;
  // Byte by byte: what follows need not be UTF-8.
  const script = bytes.subarray(start).toString('latin1');
  if (start === 0 && !script.includes('\r\n')) return value;
  if (script.includes('\0')) {
    // A program behind a script: its bytes are not ours to change.
    if (start > 0 || /^[^\n]*\r\n/.test(script))
      findings.error(
        `${path}/content_base64`,
        'script_line_ends',
        'The first line of this script has a byte-order mark or ends in CR LF, so that its interpreter is not found; what follows holds binary data, so nothing is changed here.',
      );
    return value;
  }
  tell(`${path}/content_base64`, findings);
  return { ...value, content_base64: Buffer.from(script.replace(/\r\n/g, '\n'), 'latin1').toString('base64') };
}

function tell(path: string, findings: Findings): void {
  findings.warn(
    path,
    'script_line_ends',
    'The script has line ends of Windows or a byte-order mark, with which it would not start; the image gets it with plain line ends.',
  );
}
