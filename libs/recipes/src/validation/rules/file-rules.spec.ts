import { describe, expect, it } from '@jest/globals';
import { validatorWith, validRecipe } from '../../testing/recipe.factory.js';

const validator = validatorWith();
const check = async (files: object[], more: Record<string, unknown> = {}) =>
  await validator.validate(validRecipe({ base_image: 'debian-trixie', files, ...more }));
const found = (list: { path: string; code: string }[]) => list.map(({ path, code }) => `${path} ${code}`);
const file = (path: string, more: object = {}) => ({ path, content: 'x\n', ...more });
const directory = (path: string, more: object = {}) => ({ path, type: 'directory', ...more });

describe('files of a recipe', () => {
  it.each([
    '/proc/x',
    '/sys/x',
    '/dev/x',
    '/run/x',
    '/var/run/myapp.conf',
    '/var/lock/myapp.lock',
    '/tmp/x',
    '/var/tmp/x',
    '/boot/x',
    '/lib/live/mount/x',
    '/var/log/live/boot.log',
    '/etc/fstab',
    '/etc/network/interfaces',
    '/etc/mtab',
    '/etc/machine-id',
    '/var/lib/dbus/machine-id',
    '/etc/ssh/ssh_host_ed25519_key',
    '/etc/ssh/ssh_host_rsa_key.pub',
    '/etc/hostname',
    '/etc/hosts',
    '/etc/passwd',
    '/etc/shadow',
    '/etc/group',
    '/etc/localtime',
    '/etc/timezone',
    '/etc/default/locale',
    '/etc/vconsole.conf',
    '/var/lib/systemd/random-seed',
  ])('at %s would be lost, so they are refused with a reason and what to do instead', async (path) => {
    const { errors } = await check([file(path)]);
    expect(errors).toEqual([
      {
        path: '/files/0/path',
        code: 'lost_place',
        message: expect.stringMatching(/^(\/\S+ lies at (\/\S+)\. \2|\/\S+) (is|would) .*: .+\.$/),
      },
    ]);
  });

  it.each([
    '/var/log/myapp.log',
    '/var/log/apt/x.log',
    '/mnt/data/README',
    '/media/x',
    '/live/x',
    '/home/ada/.config/a',
    '/root/.bash_history',
    '/etc/resolv.conf',
    '/etc/ssh/sshd_config.d/x.conf',
    '/etc/locale.conf',
    '/etc/default/keyboard',
    '/var/cache/man/x',
    '/etc/runner',
    '/etc/hosts.allow',
    '/srv/etc/hosts',
    '/var/lib/apt/lists/x',
    '/bootstrap',
    '/opt/run/x',
    `/srv/${'x'.repeat(255)}`,
    `/srv${'/x'.repeat(500)}`,
  ])('at %s stay', async (path) => expect((await check([file(path)])).errors).toEqual([]));

  it.each([
    ['the same path twice', [file('/etc/a'), file('/etc/a')], '/files/1/path duplicate_file'],
    ['two names of one place', [file('/usr/bin/a'), file('/bin/a')], '/files/1/path duplicate_file'],
    ['a directory and a file of one name', [directory('/srv/a/'), file('/srv/a')], '/files/1/path duplicate_file'],
    ['a file below a file', [file('/etc/a'), file('/etc/a/b')], '/files/1/path file_below_file'],
    ['a file below a file of another name', [file('/usr/lib/a'), file('/lib/a/b')], '/files/1/path file_below_file'],
    ['no content', [{ path: '/etc/a' }], '/files/0 file_content'],
    ['a directory with content', [directory('/srv/a', { content: 'x' })], '/files/0 directory_content'],
    ['a directory where nothing stays', [directory('/run/a')], '/files/0/path lost_place'],
    ['a file where the base has a directory', [file('/etc')], '/files/0/path directory_of_base'],
    ['a file where the base has a directory by another name', [file('/bin')], '/files/0/path directory_of_base'],
    ['a name that no file system takes', [file(`/srv/${'ü'.repeat(128)}`)], '/files/0/path absolute_path'],
    ['a path that no system call takes', [file(`/srv${'/abc'.repeat(300)}`)], '/files/0/path absolute_path'],
    ['empty segments', [file('/srv//a')], '/files/0/path absolute_path'],
    ['dots', [file('/srv/./a')], '/files/0/path absolute_path'],
  ])('refuses %s', async (_what, files, expected) => expect(found((await check(files)).errors)).toContain(expected));

  it('say how a directory is said, where a path ends in a slash', async () => {
    const { errors } = await check([{ path: '/srv/data/', content: '' }]);
    expect(errors).toEqual([
      {
        path: '/files/0/path',
        code: 'directory_path',
        message: expect.stringContaining('"type": "directory"'),
        suggestion: 'type: directory',
      },
    ]);
    expect(
      (await check([directory('/srv/data/', { mode: '2770', owner: 'ada', group: 'adm' }), file('/srv/data/a')]))
        .errors,
    ).toEqual([]);
  });

  it('say where nobody reads them', async () => {
    const { errors, warnings } = await check([file('/etc/initramfs-tools/modules'), file('/etc/default/grub')]);
    expect([errors, found(warnings)]).toEqual([[], ['/files/0/path unread_place', '/files/1/path unread_place']]);
  });
});

describe('kernel arguments', () => {
  const kernel = async (kernel_args: string[]) => found((await check([], { system: { kernel_args } })).errors);
  it.each(['memmap=64K$0x18690000', 'a=;{}', 'a=`b`', 'dyndbg=+p', 'root=UUID=x', 'memmap=2G$4G,1G$8G'])(
    'take %s',
    async (argument) => expect(await kernel([argument])).toEqual([]),
  );
  it.each(["a='b'", 'a="b c"', 'dyndbg="file', 'a=\\x'])('refuse %s', async (argument) =>
    expect((await kernel([argument]))[0]).toMatch(/^\/system\/kernel_args\/0 kernel_argument$/),
  );
  it('are no longer together than the kernel reads', async () => {
    const args = (count: number) => Array.from({ length: count }, (_, at) => `a${at}=${'x'.repeat(200)}`);
    expect([await kernel(args(8)), await kernel(args(9))]).toEqual([[], ['/system/kernel_args kernel_line_too_long']]);
  });
});
