// A whole factory of the benchmark's own, driven over REST as a client does.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../../scripts/setup.mjs';

/** Room for nine guests at once; no limit of a default installation is measured here. */
const limits = {
  OPENFACTORY_VM_MAX_PER_CALLER: '50',
  OPENFACTORY_ANONYMOUS_VMS: '50',
  OPENFACTORY_ANONYMOUS_DISK_GB: '1000',
  OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '100000',
  OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: '100000',
  OPENFACTORY_VM_CPU_OVERCOMMIT: '64',
  OPENFACTORY_VM_MIN_FREE_DISK_GB: '1',
};

export class Factory {
  #child;
  #output = '';
  url = '';

  constructor(dataDir) {
    this.dataDir = dataDir;
  }

  async start() {
    this.#child = spawn(process.execPath, [path.join(root, 'bin/openfactory'), 'up'], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        OPENFACTORY_DATA_DIR: this.dataDir,
        OPENFACTORY_PORT: '0',
        ...limits,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on('data', (chunk) => (this.#output += String(chunk)));
    while (!this.#output.includes('OpenFactory is running.')) {
      if (this.#child.exitCode !== null) throw new Error(`The factory did not start:\n${this.#output}`);
      await sleep(20);
    }
    this.url = /Streamable HTTP\s+(\S+)\/api\/mcp\n/.exec(this.#output)[1];
  }

  async stop() {
    if (!this.#child || this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }

  async call(method, place, body) {
    const response = await fetch(`${this.url}/api/${place}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** @param hasEnough of a status: the build has gone as far as it shall, and is cancelled. @returns the id of a build that is completed, or was cancelled so */
  async build(recipe, signal, hasEnough = () => false) {
    const { build_id: id } = await this.call('POST', 'builds', { recipe });
    for (;;) {
      const seen = await this.call('GET', `builds/${id}/status`);
      const { status, error } = seen;
      if (status === 'completed' || (status === 'cancelled' && hasEnough(seen))) return id;
      if (hasEnough(seen) && !seen.cancel_requested)
        await this.call('POST', `builds/${id}/cancel`).catch(() => undefined);
      if (status !== 'pending' && status !== 'building' && status !== 'testing')
        throw new Error(`The build is ${status}: ${JSON.stringify(error)}`);
      await sleep(1_000, undefined, { signal });
    }
  }

  /** From the call until the VM is said to be running. @returns milliseconds, and what it then is */
  async create(input, signal) {
    const began = performance.now();
    let vm = await this.call('POST', 'vms', input);
    while (vm.state !== 'running') {
      if (vm.state === 'failed') throw new Error(`${input.name} failed: ${JSON.stringify(vm.error)}`);
      await sleep(20, undefined, { signal });
      vm = await this.call('GET', `vms/${input.name}`);
    }
    return { ms: performance.now() - began, vm };
  }

  async delete(name) {
    await this.call('DELETE', `vms/${name}`);
  }

  /** Memory that no other process shares (proc(5), smaps_rollup), in MiB. */
  async privateMb(vmId) {
    const { processes } = JSON.parse(
      await readFile(path.join(this.dataDir, 'vms/machines', vmId, 'guest.json'), 'utf8'),
    );
    const rollup = await readFile(`/proc/${processes.qemu.pid}/smaps_rollup`, 'utf8');
    const kb = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce(
      (sum, [, size]) => sum + Number(size),
      0,
    );
    return kb / 1024;
  }
}
