import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { EgressWorld } from './egress-world.js';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export const open = '203.0.113.10';
export const port = '8080';
/** The host's loopback, its own addresses, its metadata service, its gateway, its networks, and where other guests and slirp itself are. */
export const closed = [
  '127.0.0.1',
  '127.0.0.53',
  '10.99.0.1',
  '10.99.0.2',
  '192.168.77.1',
  '172.16.5.1',
  '100.64.9.1',
  '169.254.169.254',
  '198.51.100.7',
  '198.51.100.8',
  '198.18.3.1',
  '10.0.2.2',
  '10.0.2.3',
  '10.0.2.15',
  '10.0.2.100',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
];
export const closed6 = ['::1', 'fd00:99::1', 'fd00:99::2', '2001:db8::10', 'fd00::2', '::ffff:10.99.0.1'];

/** perl-base is on every Debian. */
export const connectScript =
  'use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 4) or print("no: $@"), exit 1; print <$s>';
export const datagramScript =
  'use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); setsockopt(S, SOL_SOCKET, SO_BROADCAST, 1); send(S, "x" x $ARGV[2], 0, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) // (print("no: $!"), exit 1); my $r = ""; vec($r, fileno(S), 1) = 1; select($r, undef, undef, $ARGV[3]) or exit 1; recv(S, my $b, 2000, 0) // exit 1; print $b';
export const echoScript =
  'use Socket; socket(S, PF_INET, SOCK_RAW, 1) or die "no raw socket: $!"; send(S, pack("C2n3a8", 8, 0, 0xe0e2, 0x1234, 1, chr(0) x 8), 0, sockaddr_in(0, inet_aton($ARGV[0]))) // (print("no: $!"), exit 1); print "sent"';
export const fragmentScript =
  'use Socket; socket(S, PF_INET, SOCK_RAW, 255) or die "no raw socket: $!"; my $d = inet_aton($ARGV[0]); for my $f ([0x2000, pack("n4", 9, $ARGV[1], 24, 0) . "x" x 8], [2, "y" x 8]) { send(S, pack("C2n3C2na4a4", 0x45, 0, 20 + length($f->[1]), 7, $f->[0], 64, 17, 0, inet_aton("10.0.2.100"), $d) . $f->[1], 0, sockaddr_in(0, $d)) } print "sent"';

/** Each argument is a name, a script from above and its arguments, apart by \x1f; prints a line of each: name, tab, what it printed. */
export const attemptsScript =
  'use IO::Socket::IP; my @all; for (@ARGV) { my ($name, $script, @words) = split /\\x1f/; pipe(my $from, my $to) or die $!; my $pid = fork // die $!; if (!$pid) { open(STDOUT, ">&", $to) or die $!; @ARGV = @words; eval "no strict; $script"; print "died: $@" if $@; exit } close $to; push @all, [$name, $from] } for (@all) { my ($name, $from) = @$_; my $said = join " ", <$from>; $said =~ s/\\s+/ /g; print "$name\\t$said\\n" }';

export async function expectNoSlirp(world: EgressWorld): Promise<void> {
  for (let tries = 0; (await world.slirps()).length && tries < 100; tries++) await sleep(100);
  expect(await world.slirps()).toEqual([]);
}
