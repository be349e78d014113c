import { describe, expect, it } from '@jest/globals';
import { checkKernelArgs, embeddedConfig, menuConfig } from './grub-config.js';
import { kernelLineBytes, ownKernelLineBytes } from '#libs/recipes';
import { isoIdentity } from './iso-identity.js';

const identity = isoIdentity('a1b2c3d4e5f60718', 1_760_000_000);

describe('the configuration of GRUB', () => {
  it('finds the medium by a file that only this image has', () => {
    expect(embeddedConfig(identity)).toContain('--file --set=root /.disk/of-a1b2c3d4e5f60718\n');
  });

  it('boots live, with persistence of this image only, on both consoles', () => {
    const config = menuConfig(identity, 'Server', ['net.ifnames=0', 'quiet']);
    expect(config).toContain(
      "linux /live/vmlinuz 'boot=live' 'persistence' 'persistence-label=of-a1b2c3d4e5f' 'persistence-storage=filesystem' 'console=tty0' 'console=ttyS0,115200' $in_qemu 'net.ifnames=0' 'quiet'\n",
    );
    expect(config).toContain('terminal_output console serial');
  });

  it('hands every argument on as it is, within what the kernel reads', () => {
    const [, line = ''] =
      /^ {2}linux (.*)$/m.exec(menuConfig(identity, 'Server', ['memmap=64K$0x18690000', 'a=;{}`'])) ?? [];
    expect(line).toMatch(/ \$in_qemu 'memmap=64K\$0x18690000' 'a=;\{\}`'$/);
    const own = `BOOT_IMAGE=${line
      .replace(/ 'memmap.*$/, '')
      .replaceAll("'", '')
      .replace('$in_qemu', 'quickusbmodules')} `;
    expect(own).toContain('BOOT_IMAGE=/live/vmlinuz boot=live');
    expect(own.length).toBeLessThanOrEqual(ownKernelLineBytes);
    expect(kernelLineBytes).toBe(2_047);
  });

  it('lets no title out of its quotes', () => {
    expect(menuConfig(identity, "a' { reboot; }\n$x ü", [])).toContain("menuentry 'a_ _ reboot_ ___x _' {");
    expect(menuConfig(identity, ' ', [])).toContain("menuentry 'OpenFactory image' {");
  });

  it.each([[''], ['a b'], ["a'b"], ['a"b'], ['a\nb'], ['a\\b'], ['ü'], ['a\u0000']])(
    'refuses the kernel argument %j',
    (argument) => {
      expect(() => checkKernelArgs(['quiet', argument])).toThrow('kernel argument');
    },
  );

  it('accepts what kernels are given', () => {
    expect(() =>
      checkKernelArgs([
        'init_on_alloc=1',
        'slab_nomerge',
        'ip=10.0.0.2::10.0.0.1:255.255.255.0',
        'modprobe.blacklist=a,b',
        'memmap=64K$0x18690000',
        'a=;{}`',
      ]),
    ).not.toThrow();
  });
});
