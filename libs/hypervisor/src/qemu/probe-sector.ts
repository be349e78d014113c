/** The byte the guest writes to QEMU's isa-debug-exit device, and the exit code QEMU makes of it: (value << 1) | 1. */
const guestByte = 0x2a;
export const probeExitCode = (guestByte << 1) | 1;
export const debugExitPort = 0xf4;
/** SeaBIOS starts from no disk smaller than a cylinder. */
const diskBytes = 1 << 20;

/**
 * A guest loaded by the BIOS from the first sector of a disk. It must see its timer tick three times before it says that it ran: under a KVM
 * that is nested badly, code runs but interrupts do not arrive, and systems hang in their first second.
 */
export function probeDisk(): Buffer {
  const code = [
    ...[0x31, 0xc0], // xor ax, ax
    ...[0x8e, 0xd8], // mov ds, ax
    ...[0x8b, 0x1e, 0x6c, 0x04], // mov bx, [0x46c]: ticks since start, 18.2 a second, counted by the BIOS
    0xfb, // sti
    0xf4, // again: hlt
    ...[0xa1, 0x6c, 0x04], // mov ax, [0x46c]
    ...[0x29, 0xd8], // sub ax, bx
    ...[0x83, 0xf8, 0x03], // cmp ax, 3
    ...[0x72, 0xf5], // jb again
    ...[0xb0, guestByte, 0xe6, debugExitPort], // mov al, byte; out port, al
    ...[0xfa, 0xf4, 0xeb, 0xfd], // cli; hlt; jmp to hlt
  ];
  const disk = Buffer.alloc(diskBytes);
  Buffer.from(code).copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
