import { runOnTree } from './tree-sandbox.js';

/**
 * overlayfs in a user namespace marks a directory that hides the one below with the attribute `user.overlay.opaque`, which the live system's
 * overlayfs does not read. Whiteouts (character devices 0:0) for everything that it hides say the same and are read everywhere
 * (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). The attributes are then taken away: they hold inode
 * numbers, and no two builds would be equal. The program is constant; directories are its arguments, the layer and those below it, the lowest first.
 *
 * A recipe's own links are in these trees, so no name is looked up through one: what is below a directory is looked for only where each directory
 * above was seen to be one itself, and, as overlayfs does it, no deeper than the first layer where it is something else.
 */
const program = String.raw`
use strict; use warnings;
no warnings 'recursion';
my ($upper, @below) = @ARGV;
sub names { my ($dir) = @_; opendir(my $handle, $dir) or die "$dir: $!"; return grep { $_ ne '.' && $_ ne '..' } readdir $handle; }
sub directories {
  my @found;
  for (@_) { my $dir = $_; lstat $dir or next; -d _ or last; push @found, $dir; }
  return @found;
}
sub settle {
  my ($here, $hidden, @lower) = @_;
  my $opaque = $hidden || opaque($here);
  if ($opaque) {
    my %mine = map { $_ => 1 } names($here);
    for my $dir (@lower) {
      for my $name (names($dir)) {
        next if $mine{$name}++;
        system('mknod', '--', "$here/$name", 'c', '0', '0') == 0 or die "mknod: $?";
      }
    }
  }
  for my $name (names($here)) {
    lstat "$here/$name" or die "$here/$name: $!";
    settle("$here/$name", $opaque, directories(map { "$_/$name" } @lower)) if -d _;
  }
}
my %opaque;
sub opaque { return $opaque{$_[0]}; }
open(my $found, '-|', 'getfattr', '-R', '-h', '-P', '--absolute-names', '-m', '^user\.overlay\.opaque$', '--', $upper) or die "getfattr: $!";
while (<$found>) { chomp; if (/^# file: (.*)$/s) { my $name = $1; $name =~ s/\\([0-7]{3})/chr oct $1/ge; $opaque{$name} = 1; } }
close $found;
settle($upper, 0, reverse @below);
for my $attribute (qw(opaque origin impure nlink redirect metacopy uuid upper protattr)) {
  open(my $list, '-|', 'getfattr', '-R', '-h', '-P', '--absolute-names', '-m', "^user\\.overlay\\.$attribute\$", '--', $upper) or die "getfattr: $!";
  while (<$list>) { chomp; if (/^# file: (.*)$/s) { my $name = $1; $name =~ s/\\([0-7]{3})/chr oct $1/ge; system('setfattr', '-h', '-x', "user.overlay.$attribute", '--', $name) == 0 or die "setfattr: $?"; } }
  close $list;
}
`;

export async function settleOpaqueDirs(upper: string, below: string[], signal: AbortSignal): Promise<void> {
  await runOnTree('perl', ['-e', program, '--', upper, ...below], { deadlineMs: 5 * 60_000, signal });
}
