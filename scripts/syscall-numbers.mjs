// Writes libs/platform/src/process/seccomp/syscall-numbers.ts from the kernel's headers (package linux-libc-dev): node scripts/syscall-numbers.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const headers = { x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h', arm64: '/usr/include/asm-generic/unistd.h' };
const target = new URL('../libs/platform/src/process/seccomp/syscall-numbers.ts', import.meta.url);

/** `#define __NR_name 123`; the generic table calls those that are the same on 32 bits `__NR3264_name`. */
function numbersIn(header) {
  const found = [...readFileSync(header, 'utf8').matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$/gm)].map(
    ([, name, number]) => [name, Number(number)],
  );
  return Object.fromEntries(
    found.filter(([name]) => !['syscalls', 'arch_specific_syscall'].includes(name)).sort(([, a], [, b]) => a - b),
  );
}

/** As many to a line as fit. */
function wrapped(words) {
  const lines = [''];
  for (const word of words) lines.push(`${lines.at(-1).length + word.length > 140 ? '' : lines.pop()}${word} `);
  return lines.map((line) => `    ${line.trim()}`).join('\n');
}

const tables = Object.entries(headers).map(
  ([arch, header]) =>
    `  ${arch}: {\n${wrapped(Object.entries(numbersIn(header)).map(([name, number]) => `${name}: ${number},`))}\n  },`,
);
writeFileSync(
  target,
  `/** Made by scripts/syscall-numbers.mjs from the kernel's headers. */\nexport const syscallNumbers = {\n${tables.join('\n')}\n} as const;\n`,
);
console.log(`Written: ${fileURLToPath(target)}`);
