/** Classic BPF as seccomp(2) takes it: instructions of 8 bytes (struct sock_filter of linux/filter.h), little-endian on every machine that we know. */
export interface Instruction {
  code: number;
  /** Instructions to skip where the condition holds, and where not; 255 at most. */
  ifTrue: number;
  ifFalse: number;
  value: number;
}

/** BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ, JGE and JSET | BPF_K, BPF_RET | BPF_K. */
const codes = { load: 0x20, equals: 0x15, atLeast: 0x35, anyBit: 0x45, answer: 0x06 } as const;
const jump =
  (code: number) =>
  (value: number, ifTrue: number, ifFalse: number): Instruction => ({ code, ifTrue, ifFalse, value });

/** Of struct seccomp_data: the number, the architecture, and the lower halves of the arguments. */
export const place = { number: 0, architecture: 4, argument: (index: number): number => 16 + 8 * index } as const;
export const load = (offset: number): Instruction => ({ code: codes.load, ifTrue: 0, ifFalse: 0, value: offset });
export const equals = jump(codes.equals);
export const atLeast = jump(codes.atLeast);
export const anyBit = jump(codes.anyBit);
export const answer = (value: number): Instruction => ({ code: codes.answer, ifTrue: 0, ifFalse: 0, value });
/** SECCOMP_RET_… of linux/seccomp.h. */
export const allow = 0x7fff_0000;
export const killProcess = 0x8000_0000;
export const fail = (errno: number): number => 0x0005_0000 | errno;

export function assemble(program: readonly Instruction[]): Buffer {
  if (program.length > 4096) throw new Error('a filter has at most 4096 instructions');
  const bytes = Buffer.alloc(8 * program.length);
  program.forEach(({ code, ifTrue, ifFalse, value }, index) => {
    if (index + 1 + Math.max(ifTrue, ifFalse) >= program.length && code !== codes.answer)
      throw new Error('a jump leads out of the filter');
    bytes.writeUInt16LE(code, 8 * index);
    bytes.writeUInt8(ifTrue, 8 * index + 2);
    bytes.writeUInt8(ifFalse, 8 * index + 3);
    bytes.writeUInt32LE(value, 8 * index + 4);
  });
  return bytes;
}
