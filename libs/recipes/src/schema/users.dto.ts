import { Flag, Text, Texts, Whole } from './field.decorators.js';
import { absolutePath, accountName, anyAccountName, passwordHash, plainPassword, sshKey } from './text-rules.js';

/** Above are ids of Debian's own (Policy 9.2.2) and those that systemd gives to services while they run. */
const highestId = 59_999;

export class RecipeUser {
  @Text(accountName, 'Login name.', { required: true }) username: string;
  @Text(passwordHash, 'crypt(5) hash ($y$, $6$ or $5$), or "!" for no password.') password_hash?: string;
  @Text(plainPassword, 'Plain password; hashed at once (yescrypt), never stored or shown. Give this or password_hash.')
  password?: string;
  @Texts(sshKey, 'Public keys that may log in by SSH.', { maxItems: 50, default: [] }) ssh_authorized_keys: string[] =
    [];
  @Texts(anyAccountName, 'Further groups; each must exist in the base, come with a package, or be made by `groups`.', {
    maxItems: 64,
    default: [],
  })
  groups: string[] = [];
  @Text(absolutePath, 'Login shell.', { default: '/bin/bash' }) shell: string = '/bin/bash';
  @Text(absolutePath, 'Home directory; /home/<username> without one.') home?: string;
  @Flag('May become root with sudo; asks for the password, unless the user has a key and none.', false) sudo: boolean =
    false;
  @Whole(1000, highestId, 'Numeric id; the next free one without it.') uid?: number;
}

/** @returns whether somebody comes in by key, may become root, and has no password that sudo could ask for: given neither, or a locked one ("!", "*") */
export function needsNoPasswordForSudo({
  username,
  sudo,
  groups = [],
  ssh_authorized_keys = [],
  password,
  password_hash,
}: Partial<RecipeUser>): boolean {
  return (
    username !== 'root' &&
    ssh_authorized_keys.length > 0 &&
    (sudo === true || groups.includes('sudo')) &&
    password === undefined &&
    !password_hash?.startsWith('$')
  );
}

export class RecipeGroup {
  @Text(accountName, 'Name of the group.', { required: true }) name: string;
  @Whole(100, highestId, 'Numeric id; the next free one without it.') gid?: number;
}
