import { mkdir } from 'node:fs/promises';
import { runInNamespaces, runProgram, type Account } from '#libs/platform';

/** 1,000 directories in each other, 200,000 bytes of path, with names and modes that a stranger may give. */
const dig =
  'chdir $ARGV[0] or die $!; opendir(my $top, ".") or die $!; for (1..1000) { my $name = "\\xff\\n" x 100; mkdir $name or die $!; chdir $name or die $!; } open(my $file, ">", "deep") or die $!; close $file; chmod 0, "."; chmod 0, $top;';

/** A directory that nothing removes by its path; it belongs to a subordinate id of the account, else to us. */
export async function makeEndlessTree(dir: string, account?: Account): Promise<void> {
  await mkdir(dir, { recursive: true });
  if (!account) return void (await runProgram('perl', ['-e', dig, dir], { deadlineMs: 30_000 }));
  await runProgram('chown', ['--', `${account.uid}:${account.gid}`, dir], { deadlineMs: 10_000 });
  // As id 7 of the namespace, the owner of what it makes; then the directory itself, which it stands in already: the way there is only the account's.
  await runInNamespaces(
    'sh',
    [
      '-c',
      'chown 7:7 "$2" && cd "$2" && exec setpriv --reuid=7 --regid=7 --clear-groups -- perl -e "$1" .',
      'sh',
      dig,
      dir,
    ],
    { account, deadlineMs: 30_000 },
  );
}
