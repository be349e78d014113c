/** Lines after which a system does not come up any more. A guest may print anything: no pattern may take more than linear time. What GRUB says counts only before a system speaks: later, anybody may print "error:". */
const hopeless: RegExp[] = [
  /Kernel panic - not syncing[^\n]*/,
  /Give root password for maintenance[^\n]*/,
  /Cannot open access to console, the root account is locked[^\n]*/,
  /You are in emergency mode[^\n]*/,
  /Unable to find a (?:medium containing a )?live file system[^\n]*/,
  /BusyBox v[^\n]{0,80}built-in shell[^\n]*/,
  /BdsDxe: No bootable option[^\n]*/,
  /BdsDxe: failed to load[^\n]*/,
];
/** Of these, what is said after a wait that ended: initramfs waits for its medium, systemd 90 s for a device. */
const afterWaiting = [
  /^Unable to find a /,
  /^BusyBox v/,
  /^(?:Give root password|Cannot open access|You are in emergency mode)/,
];
const waitEnded =
  /[Tt]imed out waiting for|Unable to find a (?:medium containing a )?live file system|[Gg]ave up waiting for/;
const bootLoaderErrors: RegExp[] = [
  /(?<=^|\n) *error: (?!no suitable video mode)[^\n]*/,
  /(?<=^|\n) *grub(?: rescue)?> *(?=$|\n)/,
];
const systemSpeaks = /Linux version|systemd\[|\[ +\d+\.\d{6}\]/;
const loginPrompt = /(?:^|\n)[^\n]*login: /;

/** Serial text as a reader sees it: escape sequences, carriage returns and control characters out. */
export function plainSerial(text: string): string {
  return text
    .replaceAll(/\u001b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[A-Za-z])/g, '')
    .replaceAll(/\r+/g, '\n')
    .replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f]/g, '');
}

export interface HopelessLine {
  text: string;
  /** Something was too late for whoever waited for it: on a busy host no fact about the system. */
  isTimeout: boolean;
}

export function findHopeless(plain: string): HopelessLine | undefined {
  const patterns = systemSpeaks.test(plain) ? hopeless : [...hopeless, ...bootLoaderErrors];
  for (const pattern of patterns) {
    const text = pattern.exec(plain)?.[0].trim();
    if (text) return { text, isTimeout: afterWaiting.some((kind) => kind.test(text)) && waitEnded.test(plain) };
  }
  return undefined;
}

export const hasLoginPrompt = (plain: string): boolean => loginPrompt.test(plain);

/** The last lines that say something. */
export function lastLines(plain: string, count: number, maxLength = 300): string[] {
  return plain
    .split('\n')
    .map((line) => line.trimEnd().slice(0, maxLength))
    .filter((line) => line.trim() !== '')
    .slice(-count);
}
