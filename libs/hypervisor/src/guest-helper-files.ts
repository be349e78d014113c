import { readFileSync } from 'node:fs';
import path from 'node:path';
import { productRoot } from '#libs/platform';

export interface GuestHelperFile {
  /** Where it goes in an image. */
  path: string;
  content: string;
  /** Octal text. */
  mode: string;
}

/** The name of the virtio-serial port it is spoken with over; its unit and its udev rule name it too. */
export const guestHelperPort = 'org.openfactory.helper.0';
/** The unit to enable. */
export const guestHelperUnit = 'openfactory-helper.service';

/** What an image holds so that its machines have a helper: the program (which says what it speaks), its unit, and the udev rule that starts it with its port. */
export function guestHelperFiles(): GuestHelperFile[] {
  const read = (name: string) => readFileSync(path.join(productRoot, 'libs/hypervisor/guest', name), 'utf8');
  return [
    { path: '/usr/lib/openfactory/helper', content: read('openfactory-helper'), mode: '0755' },
    { path: `/etc/systemd/system/${guestHelperUnit}`, content: read('openfactory-helper.service'), mode: '0644' },
    {
      path: '/usr/lib/udev/rules.d/60-openfactory-helper.rules',
      content: read('60-openfactory-helper.rules'),
      mode: '0644',
    },
  ];
}
