import { readFileSync } from 'node:fs';
import path from 'node:path';
import { productRoot } from '#libs/platform';
import type { ImagePlan } from './image-plan.js';

const dir = '/usr/lib/openfactory';
const bootUnit = 'of-machine.service';

/**
 * Makes what must be a machine's own, at its first boot and again in a clone (guest helper, restore): a key in the image, or in the memory that clones
 * begin with, would be everybody's.
 */
export function renderMachine(plan: ImagePlan): void {
  const program = (name: string) => readFileSync(path.join(productRoot, 'libs/builds/machine', name), 'utf8');
  plan.file({ path: `${dir}/own`, content: program('own'), mode: '0755' });
  plan.file({ path: `${dir}/machine.d/packages`, content: program('packages'), mode: '0755' });
  plan.file({
    path: `/etc/systemd/system/${bootUnit}`,
    // Before all that might use a secret.
    content: [
      '[Unit]',
      'Description=Make the secrets of this machine',
      'DefaultDependencies=no',
      'After=local-fs.target systemd-tmpfiles-setup.service',
      'Before=sysinit.target shutdown.target',
      'Conflicts=shutdown.target',
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      'TimeoutStartSec=15min',
      `ExecStart=${dir}/own boot`,
      '',
      '[Install]',
      'WantedBy=sysinit.target',
      '',
    ].join('\n'),
  });
  plan.file({
    path: '/etc/systemd/system/of-machine-again@.service',
    content: [
      '[Unit]',
      'Description=Make the secrets of this machine anew (%i)',
      '',
      '[Service]',
      'Type=oneshot',
      'TimeoutStartSec=infinity',
      `ExecStart=${dir}/own %i`,
      '',
    ].join('\n'),
  });
  plan.enable(bootUnit);
}

/** Has a machine make something of its own. The commands stand in a shell script, do nothing but make it anew, and name the units that use it. */
export function machineWork(
  plan: ImagePlan,
  name: string,
  { commands, users }: { commands: readonly string[]; users: readonly string[] },
): void {
  const restarts = users.map((unit) => `echo ${unit} >> "$restart"`);
  plan.file({
    path: `${dir}/machine.d/${name}`,
    content: ['#!/bin/sh', 'set -eu', ': > /run/openfactory/has-work', ...commands, ...restarts, ''].join('\n'),
    mode: '0755',
  });
}
