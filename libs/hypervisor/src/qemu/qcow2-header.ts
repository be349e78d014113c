import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const magic = 0x514649fb;
const largest = 2n ** 44n;

/** The size of the disk in a qcow2 file (docs/interop/qcow2.txt of QEMU), which its guest's QEMU may have written: no more is believed of it. @throws Error */
export async function diskSize(diskPath: string): Promise<number> {
  const handle = await open(diskPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const header = Buffer.alloc(32);
    await handle.read(header, 0, header.length, 0);
    const size = header.readBigUInt64BE(24);
    if (header.readUInt32BE(0) !== magic || size < 1n || size > largest)
      throw new Error('the disk is no qcow2 file of a sensible size');
    return Number(size);
  } finally {
    await handle.close();
  }
}
