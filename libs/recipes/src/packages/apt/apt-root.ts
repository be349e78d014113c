import { chown, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { runProgram, unprivilegedAccount, type Account, type ProgramResult, type RunOptions } from '#libs/platform';
import { carriedConfiguration } from './carried-configuration.js';

export interface AptSource {
  uri: string;
  suite: string;
  components: string[];
}

/**
 * A root of apt's own: state, cache, sources and configuration of one base, apart from the host's. apt runs as an unprivileged
 * account and verifies signatures against the distribution's keyring.
 */
export class AptRoot {
  private constructor(
    readonly dir: string,
    private readonly account: Account | undefined,
  ) {}

  static async make(dir: string, sources: AptSource[], keyring: string): Promise<AptRoot> {
    const root = new AptRoot(dir, await unprivilegedAccount());
    for (const part of [
      'etc/apt/apt.conf.d',
      'etc/apt/preferences.d',
      'etc/apt/trusted.gpg.d',
      'var/lib/apt',
      'var/lib/dpkg',
      'var/cache',
    ])
      await mkdir(path.join(dir, part), { recursive: true, mode: 0o755 });
    for (const part of ['var/lib/apt/lists', 'var/cache/apt']) await root.giveAway(part);
    await root.run('mkdir', ['-p', `${root.listsDir}/partial`, path.join(dir, 'var/cache/apt/archives/partial')], {
      deadlineMs: 30_000,
    });
    await root.write('var/lib/dpkg/status', '');
    await root.write(
      'etc/apt/sources.list',
      sources
        .map(({ uri, suite, components }) => `deb [signed-by=${keyring}] ${uri} ${suite} ${components.join(' ')}\n`)
        .join(''),
    );
    await root.write('apt.conf', await root.configuration());
    return root;
  }

  /** Runs a program, mostly one of apt's, on this root, as the account. */
  async run(program: string, args: string[], options: Omit<RunOptions, 'env' | 'account'>): Promise<ProgramResult> {
    return await runProgram(program, args, {
      ...options,
      env: { APT_CONFIG: path.join(this.dir, 'apt.conf') },
      ...(this.account && { account: this.account }),
    });
  }

  get listsDir(): string {
    return path.join(this.dir, 'var/lib/apt/lists');
  }

  private async configuration(): Promise<string> {
    const own = [`Dir "${this.dir}/";`, `Dir::State::status "${this.dir}/var/lib/dpkg/status";`];
    return `${[...own, ...(await carriedConfiguration(this.account))].join('\n')}\n`;
  }

  /** Directories that apt writes to are the account's; their parents and the configuration stay ours, so that the account cannot turn our writes elsewhere. */
  private async giveAway(part: string): Promise<void> {
    const dir = path.join(this.dir, part);
    await mkdir(dir, { recursive: true, mode: 0o755 });
    if (this.account) await chown(dir, this.account.uid, this.account.gid);
  }

  /**
   * Addresses and proxies may hold credentials: nobody but the account may read them. What is there already stays as it is: apt parses all
   * lists anew when its sources or the dpkg status are younger than its cache. A refresh and a build may make the same root at once.
   */
  private async write(part: string, text: string): Promise<void> {
    const file = path.join(this.dir, part);
    if (
      (await readFile(file, 'utf8').catch(() => undefined)) === text &&
      (!this.account || (await stat(file)).gid === this.account.gid)
    )
      return;
    await writeFileAtomic(file, text, {
      mode: 0o640,
      ...(this.account && { chown: { uid: 0, gid: this.account.gid } }),
    });
  }
}
