import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lostPlacePatterns } from '#libs/recipes';
import type { PlannedStep } from './image-plan.js';

/** Where a plan is shown inside the tree: not where a recipe may have files. */
export const planPlace = '/run/openfactory-plan';

/**
 * Runs in the tree, by the tree's own perl: reads records of NUL-ended words (number of words, words, file for standard input or nothing)
 * and runs each as a program, without a shell. The program is constant.
 *
 * `:place` (file or directory, its path, owner, whether the recipe says it) makes the directories above it that are missing: below the home of a
 * person, or of the owner, they are that account's, secret ones for nobody else; elsewhere they are root's. A place of the recipe that a link leads to
 * where nothing stays is refused: only here all links are known.
 */
export const treeRunner = String.raw`
use strict; use warnings; use Cwd 'realpath'; umask 022;
my ($dir, $number) = (shift @ARGV, 0);
my @lost = map { qr/$_/ } @ARGV;
open(my $in, '<', "$dir/commands") or die $!;
local $/ = "\0";
my @words = map { chomp; $_ } <$in>;
sub failed { print "$_[0]\nFAILED STEP $number\n"; exit 1; }
sub home_of {
  my ($path, $owner) = @_;
  my $best;
  setpwent();
  while (my ($name, undef, $uid, $gid, undef, undef, undef, $home) = getpwent()) {
    next unless $name eq $owner || ($uid >= 1000 && $uid < 60000);
    $home =~ s{/+$}{};
    $best = { uid => $uid, gid => $gid, home => $home } if $home ne '' && index($path, "$home/") == 0 && (!$best || length $home > length $best->{home});
  }
  return $best;
}
sub place {
  my ($kind, $path, $owner, $own) = @_;
  my $home = home_of($path, $owner);
  my @above = split m{/}, substr($path, 1);
  my $last = pop @above;
  my $above = '';
  for my $segment (@above) {
    $above .= "/$segment";
    next if -d $above;
    my $secret = $segment =~ /^\.(ssh|gnupg)$/;
    mkdir($above, $home && $secret ? 0700 : 0755) or failed("cannot make the directory $above: $!");
    chown($home->{uid}, $home->{gid}, $above) or failed("cannot give $above away: $!") if $home && index($above, "$home->{home}/") == 0;
  }
  my $real = realpath($above eq '' ? '/' : $above);
  failed("cannot tell where $above leads: $!") unless defined $real;
  $real = $real eq '/' ? "/$last" : "$real/$last";
  $real = realpath($path) // $real if $kind eq 'directory' && -l $path;
  return unless $own;
  for my $pattern (@lost) { failed("LOST $real") if $real =~ $pattern; }
}
while (@words) {
  $number++;
  my @argv = splice(@words, 0, shift @words);
  my $input = shift @words;
  if ($argv[0] eq ':place') { my (undef, @place) = splice(@argv, 0, 5); place(@place); }
  my $pid = fork(); die unless defined $pid;
  if ($pid == 0) { open(STDIN, '<', $input || '/dev/null') or die $!; open(STDERR, '>&', \*STDOUT); { no warnings; exec { $argv[0] } @argv; } print "cannot run $argv[0]: $!\n"; exit 127; }
  waitpid($pid, 0);
  failed("$argv[0] ended with " . ($? >> 8)) if $? != 0;
}
`;

export const treeRunnerArguments = ['-e', treeRunner, planPlace, ...lostPlacePatterns];

/** Files become `install` commands, so that all steps keep their order. @param shownAt where the runner sees `dir` */
export async function writePlan(steps: readonly PlannedStep[], dir: string, shownAt = planPlace): Promise<void> {
  await mkdir(path.join(dir, 'files'), { recursive: true, mode: 0o755 });
  const words: string[] = [];
  let files = 0;
  const keep = async (content: string | Buffer) => {
    const name = `files/${files++}`;
    await writeFile(path.join(dir, name), content, { mode: 0o644 });
    return `${shownAt}/${name}`;
  };
  const record = (argv: string[], input = '') => words.push(String(argv.length), ...argv, input);
  for (const step of steps) {
    if ('argv' in step) {
      record(step.argv, step.input === undefined ? '' : await keep(step.input));
      continue;
    }
    const { owner = 'root', group = 'root', from = '' } = step;
    const [kind, place] =
      'directory' in step ? ['directory', step.directory.replace(/(?<=.)\/+$/, '')] : ['file', step.path];
    const install = 'directory' in step ? ['-d', '-m', step.mode ?? '0755'] : ['-T', '-m', step.mode ?? '0644'];
    const source = 'directory' in step ? [] : [await keep(step.content)];
    record([
      ':place',
      kind,
      place,
      owner,
      from.startsWith('/files/') ? '1' : '',
      'install',
      ...install,
      '-o',
      owner,
      '-g',
      group,
      '--',
      ...source,
      place,
    ]);
  }
  if (words.some((word) => word.includes('\0'))) throw new Error('a word of the plan holds a NUL');
  await writeFile(path.join(dir, 'commands'), words.map((word) => `${word}\0`).join(''), { mode: 0o644 });
}
