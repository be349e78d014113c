/** The byte the guest writes to QEMU's isa-debug-exit device, and the exit code QEMU makes of it: (value << 1) | 1. */
const guestByte = 0x2a;
export const guestExitCode = (guestByte << 1) | 1;
export const debugExitPort = 0xf4;

/** A guest of five instructions, loaded by the BIOS from the first sector of a disk: mov al, byte; out port, al; cli; hlt; jmp to hlt. */
export function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from([0xb0, guestByte, 0xe6, debugExitPort, 0xfa, 0xf4, 0xeb, 0xfd]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
