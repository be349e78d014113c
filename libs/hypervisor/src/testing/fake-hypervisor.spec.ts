import { afterAll, beforeAll } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FakeGuestDisks, FakeHypervisor } from './fake-hypervisor.js';
import { hypervisorContract } from './hypervisor.contract.js';

let workDir: string;
beforeAll(async () => void (workDir = await mkdtemp(path.join(tmpdir(), 'openfactory-fake-'))));
afterAll(() => rm(workDir, { recursive: true, force: true }));

hypervisorContract('FakeHypervisor', () =>
  Promise.resolve({
    hypervisor: new FakeHypervisor({ serial: 'hello' }),
    disks: new FakeGuestDisks(),
    spec: async () =>
      ({
        memoryMb: 16,
        vcpus: 1,
        firmware: 'bios',
        network: 'none',
        workDir: await mkdtemp(path.join(workDir, 'work-')),
      }) as const,
    serialWords: 'hello',
  }),
);
